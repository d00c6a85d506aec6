/* SPDX-License-Identifier: MIT */
/* test_config.c - every kind of mistake is named, every default round-trips, the example loads and is up to date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "config/value.h"

#define ESMES            "'esmes':[{'system_id':'shop','password':'pw'}]"
#define UPSTREAMS        "'upstreams':[{'login':'alex','password':'123'}]"
#define MINIMAL          ESMES "," UPSTREAMS
/* one further member in the first account, upstream, ... of a file that is right otherwise */
#define WITH(x)          "{" MINIMAL "," x "}"
#define WITH_ESME(x)     "{" UPSTREAMS ",'esmes':[{'system_id':'shop','password':'pw'," x "}]}"
#define WITH_UPSTREAM(x) "{" ESMES ",'upstreams':[{'login':'alex','password':'123'," x "}]}"

static struct buf mistakes;

/* Texts are written with ' for ", which no case needs for itself. */
static struct config *read_quoted(const char *text)
{
    struct config *config = NULL;
    char *copy = strdup(text);

    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    buf_finish(&mistakes);
    buf_init(&mistakes, 1 << 20);
    int err = cfg_read_text("f", copy, strlen(copy), &config, &mistakes);
    free(copy);
    assert_int_equal(err == 0, config != NULL);
    assert_int_equal(err == 0, mistakes.len == 0);
    if (err != 0)
        assert_int_equal(ERR_CONFIG, err);
    return config;
}

static struct config *read_good(const char *text)
{
    struct config *config = read_quoted(text);

    if (config == NULL)
        fail_msg("%s\n%s", text, buf_text(&mistakes));
    return config;
}

#define NOT_A_PROXY                                                                                                    \
    "upstreams[0].proxy: is no proxy's address; must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %XX " \
    "for other characters than letters and digits in USER and PASSWORD (line 1)"

static const struct {
    const char *text, *mistake; /* the whole report, without the "f: " in front of its only line */
} wrong[] = {
    /* syntax */
    { "", "is empty; an object { ... } is expected" },
    { " // only this\n", "is empty; an object { ... } is expected" },
    { "[]", "is not an object; the file must be { ... } (line 1)" },
    { "{\n'smpp': {\n", "line 2, column 10: the file ends here; a value or a closing } or ] is missing" },
    { "{\n  'a': 1,\n}", "line 2, column 9: a comma before a closing bracket; leave it out" },
    { "{\n  'a': [1,]}", "line 2, column 10: a comma before a closing bracket; leave it out" },
    { "{\n  a: 1}", "line 2, column 3: not understood: a: 1}; a value is expected here (keys and strings in \"\")" },
    { "{'a': 1 'b': 2}", "line 1, column 9: not understood: \"b\": 2}; a comma or a closing } or ] is expected here" },
    { "{'a': tru}", "line 1, column 7: not understood: tru}; a value is expected here (keys and strings in \"\")" },
    { "{'password': hunter2}",
      "line 1, column 14: not understood; a value is expected here (keys and strings in \"\")" },
    { "{'token': 'a' b}", "line 1, column 15: not understood; a comma or a closing } or ] is expected here" },
    { "{} {}", "line 1, column 4: not understood: {}; a comma or a closing } or ] is expected here" },
    { "{'a': /* open", "line 1, column 7: the comment that starts here is not closed; close it with */" },
    { "{\n'a': 'b\n}", "line 2, column 6: the string that starts here is not closed on its line; close it with \"" },
    { "{'a': 'x\\u0000y'}", "line 1, column 9: \\u0000 in a string; leave it out" },
    /* keys */
    { WITH("'smp':{}"), "smp: is not a setting; did you mean \"smpp\"? (line 1)" },
    { WITH("'drain_timout':'1s'"), "drain_timout: is not a setting; did you mean \"drain_timeout\"? (line 1)" },
    { WITH_ESME("\n'widnow':1"), "esmes[0].widnow: is not a setting; did you mean \"window\"? (line 2)" },
    { WITH_UPSTREAM("'retry':{'fist':'1s'}"),
      "upstreams[0].retry.fist: is not a setting; did you mean \"first\"? (line 1)" },
    { WITH("'log':{'colour':true}"), "log.colour: is not a setting; here are known: level, format, content (line 1)" },
    { WITH("'log':{'level':'info',\n'level':'warn'}"), "log.level: is given twice; keep one (line 2)" },
    { WITH("'log':{},\n'log':{}"), "log: is given twice; keep one (line 2)" },
    { WITH_UPSTREAM("'extra':{'a':'1','a':'2'}"), "upstreams[0].extra.a: is given twice; keep one (line 1)" },
    /* types */
    { WITH("'smpp':[]"), "smpp: is a list; must be an object { ... } (line 1)" },
    { WITH("'incoming':{}"), "incoming: is an object; must be a list [ { ... } ] (line 1)" },
    { WITH("'incoming':[3]"), "incoming[0]: is 3; must be an object { ... } (line 1)" },
    { WITH_UPSTREAM("'retry':5"), "upstreams[0].retry: is 5; must be an object { ... } (line 1)" },
    { WITH_ESME("'enabled':1"), "esmes[0].enabled: is 1; must be true or false (line 1)" },
    { WITH_ESME("'window':'5'"), "esmes[0].window: is \"5\"; must be a whole number, 1..100000 requests (line 1)" },
    { WITH_ESME("'window':1.5"), "esmes[0].window: is 1.5; must be a whole number, 1..100000 requests (line 1)" },
    { WITH_UPSTREAM("'low_balance':true"),
      "upstreams[0].low_balance: is true; must be a number, 0..1000000000000 the account's currency (line 1)" },
    { WITH("'drain_timeout':30"),
      "drain_timeout: is 30; must be a duration such as \"500ms\", \"30s\", \"2m\", \"24h\" or "
      "\"30d\", 0s..1h (line 1)" },
    { WITH("'smpp':{'max_pdu':'64kb'}"),
      "smpp.max_pdu: is \"64kb\"; must be a size such as \"512B\", \"64KiB\" or \"1MiB\", 1KiB..1MiB (line 1)" },
    { WITH("'log':{'level':null}"),
      "log.level: is null; must be \"error\" or \"warn\" or \"info\" or \"debug\" (line 1)" },
    { WITH_ESME("'allow_from':'10.0.0.0/8'"),
      "esmes[0].allow_from: is \"10.0.0.0/8\"; must be a list of addresses such as "
      "[\"10.0.0.0/8\", \"192.0.2.7\"], 0..1000 entries (line 1)" },
    { WITH_ESME("'allow_from':[7]"), "esmes[0].allow_from[0]: is 7; must be a string (line 1)" },
    { WITH_UPSTREAM("'extra':{'translit':0}"),
      "upstreams[0].extra.translit: is 0; must be a string, as \"0\" (line 1)" },
    { WITH_UPSTREAM("'api_key':5"), "upstreams[0].api_key: is not a string; must be a string, 0..256 bytes (line 1)" },
    { WITH("'store':{'keep_text':7}"),
      "store.keep_text: is 7; must be true, false or a duration such as \"24h\" or \"7d\", 1m..3650d "
      "(line 1)" },
    { WITH("'store':{'sends_in_memory':9}"), "store.sends_in_memory: is 9; must be 10..10000000 requests (line 1)" },
    { WITH("'store':{'keep_text':'5s'}"), "store.keep_text: is \"5s\"; must be 1m..3650d (line 1)" },
    /* ranges */
    { WITH_ESME("'window':0"), "esmes[0].window: is 0; must be 1..100000 requests (line 1)" },
    { WITH_ESME("'window':1e99"), "esmes[0].window: is 1e+99; must be 1..100000 requests (line 1)" },
    { WITH_ESME("'max_queued':-1"), "esmes[0].max_queued: is -1; must be 1..1000000000 messages (line 1)" },
    { WITH_UPSTREAM("'balance_every':'5999ms'"),
      "upstreams[0].balance_every: is \"5999ms\"; must be 6s..24h (line 1)" },
    { WITH_UPSTREAM("'balance_every':'5s'"), "upstreams[0].balance_every: is \"5s\"; must be 6s..24h (line 1)" },
    { WITH("'smpp':{'max_pdu':'16B'}"), "smpp.max_pdu: is \"16B\"; must be 1KiB..1MiB (line 1)" },
    { WITH("'smpp':{'system_id':'sixteen-bytes-id'}"), "smpp.system_id: has 16 bytes; must have 1..15 bytes (line 1)" },
    { WITH("'smpp':{'system_id':'a b'}"),
      "smpp.system_id: is \"a b\"; must be a string of printable ASCII without spaces (line 1)" },
    { WITH("'callbacks':{'hash':'none','listen':[]}"), "callbacks.listen: has 0 entries; must have 1..16 (line 1)" },
    { WITH_UPSTREAM("'urls':[]"), "upstreams[0].urls: has 0 entries; must have 1..8 (line 1)" },
    { WITH_ESME("'when_full':'drop'"),
      "esmes[0].when_full: is \"drop\"; must be \"refuse\" or \"replace-oldest\" (line 1)" },
    /* single values with a form of their own */
    { WITH_ESME("'allow_from':['10.0.0.0/8','10.0.0.0/33']"),
      "esmes[0].allow_from[1]: is \"10.0.0.0/33\"; must be an address or a prefix, as \"192.0.2.7\", \"10.0.0.0/8\" or "
      "\"2001:db8::/32\" (line 1)" },
    { WITH("'smpp':{'listen':['0.0.0.0']}"),
      "smpp.listen[0]: is \"0.0.0.0\"; must be ADDRESS:PORT, as \"0.0.0.0:2775\", "
      "\"127.0.0.1:2775\" or \"[::]:2775\" (line 1)" },
    { WITH("'smpp':{'listen':['0.0.0.0:99999']}"),
      "smpp.listen[0]: is \"0.0.0.0:99999\"; must be ADDRESS:PORT, as \"0.0.0.0:2775\", "
      "\"127.0.0.1:2775\" or \"[::]:2775\" (line 1)" },
    { WITH_UPSTREAM("'urls':['smsc.ru']"),
      "upstreams[0].urls[0]: is \"smsc.ru\"; must be http:// or https:// and a host, as \"https://smsc.ru\" (line 1)" },
    { WITH("'callbacks':{'hash':'none','path':'x'}"),
      "callbacks.path: is \"x\"; must be a path that starts with / and has no ?, # or space (line 1)" },
    { WITH("'store':{'url':'mysql:x'}"), "store.url: is \"mysql:x\"; must be \"sqlite:FILE\" or \"memory:\" (line 1)" },
    /* what is missing */
    { "{" UPSTREAMS "}",
      "esmes: is missing; give at least one account { \"system_id\": ..., \"password\": ... } (line 1)" },
    { "{" ESMES "}", "upstreams: is missing; give at least one { \"login\": ..., \"password\": ... } (line 1)" },
    { "{" UPSTREAMS ",'esmes':[{'password':'x'}]}",
      "esmes[0].system_id: is missing; give a string of printable ASCII without spaces (line 1)" },
    { "{" UPSTREAMS ",'esmes':[{'system_id':'x'}]}",
      "esmes[0].password: is missing; give a string, or password_file (line 1)" },
    { "{" UPSTREAMS ",'esmes':[{'system_id':'x','password':''}]}",
      "esmes[0].password: is empty; must have 1..128 bytes (line 1)" },
    { "{" ESMES ",'upstreams':[{}]}",
      "upstreams[0].password: is missing; give login and password (or password_file), or "
      "api_key (or api_key_file) (line 1)" },
    { "{" ESMES ",'upstreams':[{'password':'x'}]}",
      "upstreams[0].login: is missing; give the login that belongs to password (line 1)" },
    { WITH("'callbacks':{}"), "callbacks.secret: is missing; give the secret set in the aggregator's account (or "
                              "secret_file), or hash \"none\" (line 1)" },
    { WITH("'admin':{}"), "admin.token: is missing; give a long random string (or token_file), or listen [] (line 1)" },
    { WITH("'smpp':{'listen':[]}"), "smpp.listen: is empty; give an address such as \"0.0.0.0:2775\" (line 1)" },
    /* names that must differ, or exist */
    { "{" UPSTREAMS ",'esmes':[{'system_id':'a','password':'x'},\n{'system_id':'b','password':'x'},\n"
      "{'system_id':'a','password':'x'}]}",
      "esmes[2].system_id: is \"a\", as in esmes[0]; each must have its own (line 3)" },
    { "{" ESMES ",'upstreams':[{'api_key':'x'},{'api_key':'y'}]}",
      "upstreams[1].name: is \"smsc\", as in upstreams[0]; each must have its own (line 1)" },
    { WITH_ESME("'upstream':'sms'"),
      "esmes[0].upstream: is \"sms\", which is no upstream; must be the name of one, as \"smsc\" (line 1)" },
    { WITH("'callbacks':[{'hash':'none'},{'hash':'none','listen':['*:1'],'upstream':'x'}]"),
      "callbacks[1].upstream: is \"x\", which is no upstream; must be the name of one, as \"smsc\" (line 1)" },
    { WITH("'incoming':[{'system_id':'shop'},{'system_id':'ship'}]"),
      "incoming[1].system_id: is \"ship\", which is no account; must be the system_id of one of esmes (line 1)" },
    { WITH("'smpp':{'listen':['127.0.0.1:81','127.0.0.1:81']}"),
      "smpp.listen[1]: is \"127.0.0.1:81\", which smpp.listen[0] has already; must be another address or port (line "
      "1)" },
    { WITH("'callbacks':{'hash':'none','listen':['0.0.0.0:2775']}"),
      "callbacks.listen[0]: is \"0.0.0.0:2775\", which smpp.listen[0] has already; must be another address or port "
      "(line 1)" },
    { WITH_UPSTREAM("'retry':{'first':'2s','max':'1s'}"),
      "upstreams[0].retry.first: is longer than retry.max; must be shorter or the same (line 1)" },
    { WITH_UPSTREAM("'extra':{'psw':'x'}"),
      "upstreams[0].extra.psw: is set by the gateway itself; leave it out (line 1)" },
    { WITH_UPSTREAM("'extra':{'cost':'2'}"),
      "upstreams[0].extra.cost: is set by the gateway itself; leave it out (line 1)" },
    { WITH_ESME("'extra':{'translit':'1','op':'1'}"),
      "esmes[0].extra.op: is set by the gateway itself; leave it out (line 1)" },
    { WITH("'routes':[{'operator':'mts'}]"),
      "routes[0].operator: is \"mts\", which is no operator; must be the name of one of operators (line 1)" },
    { WITH("'operators':[{'name':'a','prefixes':['7901']},{'name':'b','prefixes':['7902','+7903']}]"),
      "operators[1].prefixes[1]: is \"+7903\"; must be 1..20 digits, as \"7920\" (line 1)" },
    { WITH("'operators':[{'name':'a','prefixes':['7901']},{'name':'b','prefixes':['7902','7901']}]"),
      "operators: have the prefix 7901 twice, at \"a\" and \"b\"; keep one (line 1)" },
    { WITH("'operators':[{'name':'a'},{'name':'a'}]"),
      "operators[1].name: is \"a\", as in operators[0]; each must have its own (line 1)" },
    /* a proxy holds a password: nothing of it is told */
    { WITH_UPSTREAM("'proxy':'socks5://u:s3cret@10.0.0.1:1080'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://10.0.0.1'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://u:s3cret@:3128'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://u:s/cret@10.0.0.1:3128'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://u:s3cret@10.0.0.1:3128/x'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://u:s cret@10.0.0.1:3128'"), NOT_A_PROXY },
    { WITH_UPSTREAM("'proxy':'http://u:s3cret@10.0.0.1:99999'"), NOT_A_PROXY },
    { WITH_ESME("'deliver_max_pdu':'511B'"),
      "esmes[0].deliver_max_pdu: is shorter than a receipt; must be 0B or 512B..128KiB (line 1)" },
    { WITH_ESME("'when_down':'reject'"), "esmes[0].when_down: is \"reject\"; must be \"hold\" or \"refuse\" (line 1)" },
    { WITH_ESME("'interface_version':'3.3'"),
      "esmes[0].interface_version: is \"3.3\"; must be \"bind\" or \"3.4\" or \"5.0\" (line 1)" },
    /* the environment, and files */
    { WITH_ESME("'upstream':'${SMPPBRIDGE_TEST_NONE}'"),
      "esmes[0].upstream: needs the environment variable SMPPBRIDGE_TEST_NONE, which is not set; set it or write the "
      "value "
      "(line 1)" },
    { WITH_ESME("'upstream':'a${b'"),
      "esmes[0].upstream: holds a ${ that is not a variable; write ${NAME}, or $${ for the two characters (line 1)" },
    { WITH_UPSTREAM("'api_key':'${SMPPBRIDGE_TEST_NONE}'"),
      "upstreams[0].api_key: needs the environment variable SMPPBRIDGE_TEST_NONE, which is not set; set it or write "
      "the "
      "value (line 1)" },
    { WITH_ESME("'password_file':'/nonexistent'"),
      "esmes[0].password_file: is given twice, as itself and as a file; keep one "
      "(line 1)\nf: esmes[0].password_file: names /nonexistent, which cannot be "
      "read: No such file or directory (line 1)" },
    { WITH("'admin':{'token_file':'/nonexistent'}"),
      "admin.token_file: names /nonexistent, which cannot be read: No such file or directory (line 1)" },
    { WITH("'admin':{'token_file':'/dev/null'}"),
      "admin.token_file: names /dev/null, which is empty; it must hold the secret "
      "(line 1)" },
    { WITH("'admin':{'token_file':3}"), "admin.token_file: must be the name of a file that holds the secret (line 1)" },
    { WITH("'store':{'url_file':'x'}"), "store.url_file: is not a setting; here are known: url, keep, keep_text, "
                                        "messages_in_memory, sends_in_memory (line 1)" },
};

static void each_mistake_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char expected[2048];

        snprintf(expected, sizeof expected, "f: %s\n", wrong[i].mistake);
        if (read_quoted(wrong[i].text) != NULL || strcmp(expected, buf_text(&mistakes)) != 0)
            fail_msg("%s\nexpected: %sgot:      %s", wrong[i].text, expected, buf_text(&mistakes));
    }
}

static void all_mistakes_come_together(void **state)
{
    (void)state;
    assert_null(read_quoted("{'smpp':{'max_pdu':1},\n'esmes':[{'system_id':'a','window':0}],\n'log':{'lvl':'x'}}"));
    assert_string_equal(
        "f: smpp.max_pdu: is 1; must be a size such as \"512B\", \"64KiB\" or \"1MiB\", 1KiB..1MiB (line 1)\n"
        "f: esmes[0].window: is 0; must be 1..100000 requests (line 2)\n"
        "f: esmes[0].password: is missing; give a string, or password_file (line 2)\n"
        "f: log.lvl: is not a setting; did you mean \"level\"? (line 3)\n"
        "f: upstreams: is missing; give at least one { \"login\": ..., \"password\": ... } (line 1)\n",
        buf_text(&mistakes));
}

static void a_flood_of_mistakes_is_cut(void **state)
{
    struct buf text;
    unsigned lines = 0;

    (void)state;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_addf(&text, "%c'nonsense%d':1", i == 0 ? '{' : ',', i);
    buf_addc(&text, '}');
    assert_null(read_quoted(buf_text(&text)));
    for (const char *c = buf_text(&mistakes); *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(101, lines);
    buf_finish(&text);
}

static void a_mistake_is_one_line_of_text(void **state)
{
    (void)state;
    assert_null(read_quoted(WITH("'a\\n\\u001b[31m':1")));
    assert_non_null(strstr(buf_text(&mistakes), "f: a??[31m: is not a setting"));
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    assert_null(read_quoted("{" UPSTREAMS ",'esmes':[{'system_id':'x','password':['hush']}]}"));
    assert_null(strstr(buf_text(&mistakes), "hush"));
    assert_int_equal(0, setenv("SMPPBRIDGE_TEST_SECRET", "hush-hush", 1));
    struct config *c = read_good("{" UPSTREAMS ",'esmes':[{'system_id':'x','password':'${SMPPBRIDGE_TEST_SECRET}'}]}");
    assert_string_equal("hush-hush", c->esmes[0].password);
    struct buf report;
    buf_init(&report, 1 << 20);
    cfg_write_report(c, &report);
    assert_null(strstr(buf_text(&report), "hush"));
    assert_non_null(strstr(buf_text(&report), "esmes[0].password = \"***\"\n"));
    buf_finish(&report);
    cfg_destroy(c);
}

static void a_minimal_file_gets_the_defaults(void **state)
{
    (void)state;
    struct config *c = read_good("{" MINIMAL "}");
    assert_string_equal("0.0.0.0:2775", c->smpp.listen[0]);
    assert_null(c->smpp.listen[1]);
    assert_null(c->smpp.tls.listen[0]);
    assert_null(c->smpp.tls.certificate_file);
    assert_int_equal(30000, c->smpp.enquire_link_interval_ms);
    assert_int_equal(131072, c->smpp.max_pdu_bytes);
    assert_int_equal(1, c->esme_count);
    assert_string_equal("shop", c->esmes[0].system_id);
    assert_true(c->esmes[0].enabled);
    assert_int_equal(72 * 3600000, c->esmes[0].receipt_hold_ms);
    assert_string_equal("smsc", c->esmes[0].upstream); /* filled in */
    assert_string_equal("https://smsc.ru", c->upstreams[0].urls[0]);
    assert_true(c->upstreams[0].retry_factor > 1.99 && c->upstreams[0].retry_factor < 2.01);
    assert_null(c->upstreams[0].extra[0].name);
    assert_int_equal(0, c->callback_count);
    assert_int_equal(0, c->incoming_count);
    assert_null(c->admin.listen[0]); /* no section, no administration */
    assert_string_equal("sqlite:/var/lib/smppbridge/smppbridge.db", c->store.url);
    assert_int_equal(100000, c->store.messages_in_memory);
    assert_int_equal(200000, c->store.sends_in_memory);
    assert_int_equal(LOG_INFO, c->log.level);
    assert_int_equal(30000, c->drain_timeout_ms);
    cfg_destroy(c);
}

static void what_is_given_arrives(void **state)
{
    (void)state;
    struct config *c = read_good(
        "\xEF\xBB\xBF{ // a comment with 'quotes'\n" MINIMAL ", /* and\n another */\n"
        "'smpp':{'listen':['127.0.0.1:0','[::1]:1'],'inactivity_timeout':'off','max_pdu':'1.5KiB','tls':null},"
        "'callbacks':[{'hash':'md5','secret':'// /* not a comment */','tls':null},{'hash':'none','listen':['*:1']}],"
        "'incoming':[{'to':'7*','system_id':'shop'}],'admin':{'listen':[]},"
        "'log':{'level':'debug','format':'json','content':true},'store':{'url':'memory:','keep':'1.5h','messages_in_"
        "memory':10},"
        "'drain_timeout':'250ms'}");
    assert_string_equal("[::1]:1", c->smpp.listen[1]);
    assert_int_equal(0, c->smpp.inactivity_timeout_ms);
    assert_int_equal(1536, c->smpp.max_pdu_bytes);
    assert_int_equal(2, c->callback_count);
    assert_int_equal(CFG_HASH_MD5, c->callbacks[0].hash);
    assert_string_equal("// /* not a comment */", c->callbacks[0].secret);
    assert_int_equal(CFG_HASH_NONE, c->callbacks[1].hash);
    assert_string_equal("smsc", c->callbacks[1].upstream);
    assert_string_equal("7*", c->incoming[0].to);
    assert_int_equal(LOG_DEBUG, c->log.level);
    assert_int_equal(LOG_JSON, c->log.format);
    assert_true(c->log.content);
    assert_int_equal(5400000, c->store.keep_ms);
    assert_int_equal(10, c->store.messages_in_memory);
    assert_int_equal(250, c->drain_timeout_ms);
    cfg_destroy(c);
}

static void text_may_be_kept_for_ever_for_a_time_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
        const char *said;
    } some[] = {
        { WITH("'store':{'keep_text':true}"), CFG_ALWAYS, "kept for 30d with their text\n" },
        { WITH("'store':{'keep_text':false}"), 0, "kept for 30d without their text\n" },
        { WITH("'store':{'keep_text':'7d'}"), UINT64_C(7) * 86400000, "kept for 30d, their text for 168h\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        struct config *c = read_good(some[i].text);
        struct buf out;

        buf_init(&out, 1 << 16);
        cfg_write_report(c, &out);
        assert_true(c->store.keep_text_ms == some[i].ms);
        if (strstr(buf_text(&out), some[i].said) == NULL)
            fail_msg("%s", buf_text(&out));
        buf_finish(&out);
        cfg_destroy(c);
    }
}

static void habits_of_an_account_arrive(void **state)
{
    (void)state;
    struct config *c = read_good("{" MINIMAL "}");
    const struct cfg_esme *e = &c->esmes[0];

    assert_int_equal(e->address_range, CFG_RANGE_IGNORE);
    assert_int_equal(e->interface_version, 0);
    assert_int_equal(e->when_down, CFG_DOWN_HOLD);
    assert_int_equal(e->unknown_coding, CFG_CODING_VERSION);
    assert_false(e->udh_without_flag);
    assert_int_equal(e->deliver_max_pdu_bytes, 0);
    cfg_destroy(c);
    c = read_good("{" UPSTREAMS ",'esmes':[{'system_id':'shop','password':'x','address_range':'incoming',"
                  "'interface_version':'5.0','unknown_data_coding':'refuse','udh_without_flag':true,"
                  "'deliver_max_pdu':'7424B','when_down':'refuse'}]}");
    e = &c->esmes[0];
    assert_int_equal(e->when_down, CFG_DOWN_REFUSE);
    assert_int_equal(e->address_range, CFG_RANGE_INCOMING);
    assert_int_equal(e->interface_version, 0x50);
    assert_int_equal(e->unknown_coding, CFG_CODING_REFUSE);
    assert_true(e->udh_without_flag);
    assert_int_equal(e->deliver_max_pdu_bytes, 7424);
    cfg_destroy(c);
}

static void callbacks_may_be_one_object(void **state)
{
    (void)state;
    struct config *c = read_good(WITH("'callbacks':{'secret':'s'}"));
    assert_int_equal(1, c->callback_count);
    assert_string_equal("/smsc/callback", c->callbacks[0].path);
    cfg_destroy(c);
    c = read_good(WITH("'callbacks':null"));
    assert_int_equal(0, c->callback_count);
    cfg_destroy(c);
}

static void a_proxy_is_reported_without_its_credentials(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    struct config *c = read_good(WITH_UPSTREAM("'proxy':'http://who:s3cret@[::1]:3128'"));
    assert_string_equal("http://who:s3cret@[::1]:3128", c->upstreams[0].proxy);
    cfg_write_report(c, &out);
    assert_non_null(strstr(buf_text(&out), "through the proxy [::1]:3128"));
    assert_null(strstr(buf_text(&out), "s3cret"));
    assert_null(strstr(buf_text(&out), "who"));
    cfg_destroy(c);
    buf_finish(&out);
}

static void prefixes_of_all_operators_are_one_sorted_list(void **state)
{
    (void)state;
    struct config *c = read_good(WITH("'operators':[{'name':'b c','prefixes':['7910','791','79101234567']},"
                                      "{'name':'a','prefixes':['7','7911']}],'routes':[{'operator':'b c'}]"));
    static const char *const wanted[] = { "7", "a", "791", "b c", "7910", "b c", "79101234567", "b c", "7911", "a" };
    assert_int_equal(5, c->prefix_count);
    for (size_t i = 0; i < c->prefix_count; i++) {
        assert_string_equal(wanted[i * 2], c->prefixes[i].digits);
        assert_string_equal(wanted[i * 2 + 1], c->prefixes[i].operator_name);
    }
    cfg_destroy(c);
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    assert_int_equal(0, setenv("SMPPBRIDGE_TEST_A", "on${e}", 1)); /* what comes from outside is not expanded again */
    struct config *c = read_good(WITH_UPSTREAM("'extra':{'x':'<${SMPPBRIDGE_TEST_A}|$${A}|$5>'}"));
    assert_string_equal("<on${e}|${A}|$5>", c->upstreams[0].extra[0].value);
    cfg_destroy(c);
}

static void secrets_come_from_files(void **state)
{
    static const struct {
        const char *content, *secret;
    } cases[] = { { "s3cret\n", "s3cret" }, { "s3cret", "s3cret" }, { "a b\r\n", "a b" }, { "two\n\n", "two\n" } };
    char path[] = "/tmp/smppbridge-test-XXXXXX", text[300];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(0, ftruncate(fd, 0));
        assert_true(pwrite(fd, cases[i].content, strlen(cases[i].content), 0) > 0);
        snprintf(text, sizeof text, "{" UPSTREAMS ",'esmes':[{'system_id':'x','password_file':'%s'}]}", path);
        struct config *c = read_good(text);
        assert_string_equal(cases[i].secret, c->esmes[0].password);
        cfg_destroy(c);
    }
    assert_int_equal(0, ftruncate(fd, 5000));
    assert_null(read_quoted(text));
    assert_non_null(strstr(buf_text(&mistakes), "names a file of more than 4096 bytes"));
    close(fd);
    unlink(path);
}

/* A member for the row, inside whatever section it has. */
static void write_member(const struct cfg_section *s, const struct cfg_row *row, const char *value, struct buf *out)
{
    const char *dot = strchr(row->path, '.');
    char member[2048];

    if (dot == NULL)
        snprintf(member, sizeof member, "\"%s\":%s", row->path, value);
    else
        snprintf(member, sizeof member, "\"%.*s\":{\"%s\":%s}", (int)(dot - row->path), row->path, dot + 1, value);
    buf_clear(out);
    if (strcmp(s->key, "esmes") == 0)
        buf_addf(out, "{" UPSTREAMS ",'esmes':[{'system_id':'shop','password':'pw',%s}]}", member);
    else if (strcmp(s->key, "upstreams") == 0)
        buf_addf(out, "{" ESMES ",'upstreams':[{'login':'alex','api_key':'x',%s}]}", member);
    else if (s->shape == CFG_ROOT)
        buf_addf(out, "{" MINIMAL ",%s}", member);
    else if (s->shape == CFG_OBJECT)
        buf_addf(out, "{" MINIMAL ",'%s':{%s%s}}", s->key, member,
                 strcmp(s->key, "admin") == 0 && strcmp(row->path, "token") != 0 ? ",'token':'t'" : "");
    else if (strcmp(s->key, "callbacks") == 0)
        buf_addf(out, "{" MINIMAL ",'callbacks':{%s%s}}", member,
                 strcmp(row->path, "secret") != 0 ? ",'secret':'s'" : "");
    else if (strcmp(s->key, "routes") == 0)
        buf_addf(out, "{" MINIMAL ",'routes':[{%s}]}", member);
    else if (strcmp(s->key, "operators") == 0)
        buf_addf(out, "{" MINIMAL ",'operators':[{'name':'x',%s}]}", member);
    else
        buf_addf(out, "{" MINIMAL ",'incoming':[{'system_id':'shop',%s}]}", member);
}

static const void *base_of(const struct config *c, const struct cfg_section *s)
{
    const char *at = (const char *)c + s->offset;

    return s->shape == CFG_ROOT || s->shape == CFG_OBJECT ? at : (const char *)*(const void *const *)at;
}

static void every_default_round_trips(void **state)
{
    struct buf text, value;

    (void)state;
    buf_init(&text, 1 << 16);
    buf_init(&value, 1 << 16);
    for (size_t k = 0; k < cfg_section_count; k++) {
        const struct cfg_section *s = &cfg_sections[k];
        for (size_t i = 0; i < s->row_count; i++) {
            const struct cfg_row *row = &s->rows[i];
            const char *given = cfg_row_default(row);

            assert_true(strlen(row->help) > 10);
            if (given == NULL || row->type == CFG_SECRET || strcmp(row->path, "upstream") == 0 ||
                strcmp(row->path, "login") == 0)
                continue; /* these have a default that only holds together with others */
            write_member(s, row, given, &text);
            struct config *c = read_good(buf_text(&text));
            buf_clear(&value);
            cfg_write_value(row, base_of(c, s), true, &value);
            assert_string_equal(given, buf_text(&value));
            cfg_destroy(c);
        }
    }
    buf_finish(&text);
    buf_finish(&value);
}

/* What the table says is not there is refused, and the refusal says what is in force. */
static void unbuilt_features_are_refused(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 16);
    for (size_t k = 0; k < cfg_section_count; k++) {
        const struct cfg_section *s = &cfg_sections[k];
        for (size_t i = 0; i < s->row_count; i++) {
            const struct cfg_row *row = &s->rows[i];

            if (!row->works) {
                const char *other = row->type == CFG_BOOL       ? "true"
                                    : row->type == CFG_FILE     ? "\"/dev/null\""
                                    : row->type == CFG_DURATION ? "\"7s\""
                                    : row->type == CFG_LISTEN   ? "[\"127.0.0.1:7\"]"
                                    : row->type == CFG_STRINGS  ? "[\"x\"]"
                                    : row->type == CFG_STRING   ? "\"x\""
                                                                : "7";
                write_member(s, row, row->type == CFG_DURATION && row->max < 7000 ? "\"700ms\"" : other, &text);
                assert_null(read_quoted(buf_text(&text)));
                if (strstr(buf_text(&mistakes), "is not available in this version; leave it out or give ") == NULL)
                    fail_msg("%s: %s", row->path, buf_text(&mistakes));
            }
            for (const struct cfg_word *w = row->words; w != NULL && w->name != NULL; w++) {
                char value[64];

                snprintf(value, sizeof value, "\"%s\"", w->name);
                write_member(s, row, value, &text);
                struct config *c = read_quoted(buf_text(&text));
                if (w->works != (c != NULL))
                    fail_msg("%s %s: %s", row->path, value, buf_text(&mistakes));
                cfg_destroy(c);
            }
        }
    }
    buf_finish(&text);
}

static void durations_and_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: not understood */
    } times[] = { { "0s", 0 },      { "500ms", 500 },    { "1.5s", 1500 },
                  { "2m", 120000 }, { "24h", 86400000 }, { "30d", 2592000000 },
                  { "30", -1 },     { "s", -1 },         { "-1s", -1 },
                  { "1 s", -1 },    { "1S", -1 },        { "1e3s", -1 },
                  { "0x10s", -1 },  { "0.5ms", -1 },     { "inf", -1 },
                  { "", -1 },       { "1..5s", -1 },     { "99999999999999999999d", -1 },
                  { "1ss", -1 },    { "+1s", -1 },       { "1E3s", -1 } };
    uint64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int err = cfg_parse_duration(times[i].text, &v);
        if ((err == 0) != (times[i].ms >= 0) || (err == 0 && (int64_t)v != times[i].ms))
            fail_msg("%s", times[i].text);
    }
    assert_int_equal(0, cfg_parse_size("64KiB", &v));
    assert_int_equal(65536, v);
    assert_int_equal(0, cfg_parse_size("512B", &v));
    assert_int_equal(512, v);
    assert_int_equal(0, cfg_parse_size("1MiB", &v));
    assert_int_equal(1048576, v);
    assert_int_equal(ERR_SYNTAX, cfg_parse_size("64KB", &v));
    assert_int_equal(ERR_SYNTAX, cfg_parse_size("64", &v));
}

static void a_reload_knows_what_it_cannot_do(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    struct config *now = read_good("{" MINIMAL "}");
    struct config *then = read_good(
        "{'esmes':[{'system_id':'new','password':'pw','window':5},{'system_id':'shop','password':'x'}]," UPSTREAMS
        ",'log':{'level':'debug'}}");
    cfg_restart_needed(now, then, &out);
    assert_string_equal("", buf_text(&out));
    cfg_destroy(then);
    then =
        read_good("{" ESMES ",'upstreams':[{'name':'b','api_key':'k'},{'login':'alex','password':'9','connections':3}],"
                  "'smpp':{'listen':['127.0.0.1:9']},'store':{'url':'memory:'},'callbacks':{'hash':'none'}}");
    cfg_restart_needed(now, then, &out);
    assert_string_equal("smpp.listen\ncallbacks[0] (added)\nstore.url\n", buf_text(&out));
    buf_clear(&out);
    cfg_restart_needed(then, now, &out);
    assert_string_equal("smpp.listen\ncallbacks[0] (removed)\nstore.url\n", buf_text(&out));
    cfg_destroy(now);
    cfg_destroy(then);
    buf_finish(&out);
}

static void many_accounts_load_quickly(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 4 << 20);
    buf_adds(&text, "{" UPSTREAMS ",'esmes':[");
    for (int i = 0; i < 5000; i++)
        buf_addf(&text, "%s{'system_id':'e%d','password':'p'}", i == 0 ? "" : ",", i);
    buf_adds(&text, "]}");
    struct config *c = read_good(buf_text(&text));
    assert_int_equal(5000, c->esme_count);
    assert_string_equal("e4999", c->esmes[4999].system_id);
    cfg_destroy(c);
    buf_finish(&text);
}

static void the_example_loads_at_no_shorter_length(void **state)
{
    struct buf example;
    struct config *c = NULL;

    (void)state;
    buf_init(&example, 1 << 20);
    cfg_write_example(&example);
    buf_clear(&mistakes);
    if (cfg_read_text("example", example.data, example.len, &c, &mistakes) != 0)
        fail_msg("%s", buf_text(&mistakes));
    cfg_destroy(c);
    size_t whole = (size_t)(strrchr(example.data, '}') + 1 - example.data);
    for (size_t len = 0; len < whole; len++) {
        char *exact = malloc(len == 0 ? 1 : len); /* so that a sanitizer sees a read behind the end */

        memcpy(exact, example.data, len);
        buf_clear(&mistakes);
        assert_int_equal(ERR_CONFIG, cfg_read_text("cut", exact, len, &c, &mistakes));
        assert_true(mistakes.len > 0);
        free(exact);
    }
    buf_finish(&example);
}

static void the_example_file_is_up_to_date(void **state)
{
    struct buf example, file;
    FILE *f = fopen(TEST_SOURCE "/config/examples/smppbridge.json", "rb");

    (void)state;
    assert_non_null(f);
    buf_init(&example, 1 << 20);
    buf_init(&file, 1 << 20);
    cfg_write_example(&example);
    file.len = fread(buf_reserve(&file, 1 << 18), 1, 1 << 18, f);
    file.data[file.len] = '\0';
    fclose(f);
    if (strcmp(buf_text(&example), buf_text(&file)) != 0)
        fail_msg("config/examples/smppbridge.json differs from the program; write it anew: %s > "
                 "config/examples/smppbridge.json",
                 "build/debug/tests/test_config --write-example");
    buf_finish(&example);
    buf_finish(&file);
}

static int finish(void **state)
{
    (void)state;
    buf_finish(&mistakes);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(all_mistakes_come_together),
        cmocka_unit_test(a_flood_of_mistakes_is_cut),
        cmocka_unit_test(a_mistake_is_one_line_of_text),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(a_minimal_file_gets_the_defaults),
        cmocka_unit_test(what_is_given_arrives),
        cmocka_unit_test(text_may_be_kept_for_ever_for_a_time_or_not_at_all),
        cmocka_unit_test(habits_of_an_account_arrive),
        cmocka_unit_test(callbacks_may_be_one_object),
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(a_proxy_is_reported_without_its_credentials),
        cmocka_unit_test(prefixes_of_all_operators_are_one_sorted_list),
        cmocka_unit_test(every_default_round_trips),
        cmocka_unit_test(unbuilt_features_are_refused),
        cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(a_reload_knows_what_it_cannot_do),
        cmocka_unit_test(many_accounts_load_quickly),
        cmocka_unit_test(the_example_loads_at_no_shorter_length),
        cmocka_unit_test(the_example_file_is_up_to_date),
    };

    if (argc > 1 && strcmp(argv[1], "--write-example") == 0) {
        struct buf example;

        buf_init(&example, 1 << 20);
        cfg_write_example(&example);
        fwrite(example.data, 1, example.len, stdout);
        buf_finish(&example);
        return 0;
    }
    buf_init(&mistakes, 1 << 20);
    return cmocka_run_group_tests(tests, NULL, finish);
}
