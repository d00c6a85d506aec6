#!/bin/bash
# banned.sh [ROOT] - calls and headers that cannot be used safely, and marks of unfinished work.
# Prints each as "file:line: text"; status 1 when there is one.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

dirs=()
for d in base config smpp http lab gateway tests; do [ -d "$d" ] && dirs+=("$d"); done
status=0
calls='atoi|atol|atoll|atof|strcpy|strcat|sprintf|vsprintf|strtok|strncpy|strncat|gets|alloca|system|popen|tmpnam|mktemp'
# comments and strings may name them; code may not
while IFS= read -r -d '' file; do
    sed -E 's:"([^"\\]|\\.)*":"":g; s:/\*([^*]|\*[^/])*\*/::g; s://.*$::' "$file" |
        awk -v file="$file" -v calls="(^|[^A-Za-z0-9_>.])($calls)[ \t]*\\\\(" '
            !/^[ \t]*\*/ && !/^[ \t]*\/\*/ && $0 ~ calls { printf "%s:%d: banned call: %s\n", file, FNR, $0; found = 1 }
            END { exit found }' || status=1
done < <(find "${dirs[@]}" -name '*.[ch]' -not -path '*/node_modules/*' -print0 | sort -z)
# it ends the process when it has no memory, unless base/table.h has told it not to
if grep -rn --include='*.[ch]' '#include <uthash.h>' "${dirs[@]}" | grep -v '^base/table.h:'; then
    status=1
fi
marks="TO""DO|FIX""ME|XX""X"
if grep -rnE --include='*.[ch]' --include='*.sh' --include='*.mjs' --exclude-dir=node_modules "\\b($marks)\\b" "${dirs[@]}"; then
    status=1
fi
exit $status
