#!/usr/bin/perl
# net_smpp.pl - an ESME on Debian's Net::SMPP. Reads one JSON object (port, version, form, messages), binds, submits all
# messages, answers deliver_sm until each accepted message has its receipt, unbinds; prints what it saw as JSON.
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my $task = decode_json(do { local $/; <STDIN> });
my %out = (binds => [], answers => [], receipts => []);
local $SIG{ALRM} = sub { print encode_json({ %out, error => 'timed out' }), "\n"; exit 1 };
alarm($task->{seconds} || 30);

sub bound {
    my ($how) = @_;
    my $method = "new_$how";
    my ($smpp, $resp) = Net::SMPP->$method('127.0.0.1', port => $task->{port}, system_id => 'demo', password => 'demo',
        interface_version => $task->{version}, system_type => 'perl', async => 0);
    die "no connection for $how\n" unless $smpp && $resp;
    push @{ $out{binds} }, $resp->{status} + 0;
    die "bind refused\n" if $resp->{status};
    return $smpp;
}

eval {
    my $tx = bound($task->{form} eq 'transceiver' ? 'transceiver' : 'transmitter');
    my $rx = $task->{form} eq 'transceiver' ? $tx : bound('receiver');
    my (%waiting, @deliveries, $seen);
    my $take = sub {
        my ($pdu, $smpp) = @_;
        if ($pdu->{cmd} == Net::SMPP::CMD_submit_sm_resp) {
            my $name = delete $waiting{ $pdu->{seq} };
            push @{ $out{answers} }, { name => $name, status => $pdu->{status} + 0, id => $pdu->{message_id} };
        } elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
            $smpp->deliver_sm_resp(message_id => '', seq => $pdu->{seq});
            push @{ $out{receipts} }, {
                text => $pdu->{short_message}, esm_class => $pdu->{esm_class}, source => $pdu->{source_addr},
                dest => $pdu->{destination_addr}, id => $pdu->{receipted_message_id},
                state => defined $pdu->{message_state} ? ord($pdu->{message_state}) : undef,
            };
        } elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
            $smpp->enquire_link_resp(seq => $pdu->{seq});
        }
    };
    for my $m (@{ $task->{messages} }) {
        my @payload = $m->{payload} ? (message_payload => pack('H*', $m->{payload})) : ();
        my $seq = $tx->submit_sm(async => 1, source_addr => 'perl', source_addr_ton => 5, destination_addr => $m->{to},
            dest_addr_ton => 1, dest_addr_npi => 1, data_coding => $m->{data_coding}, esm_class => $m->{esm_class} || 0,
            registered_delivery => 1, short_message => pack('H*', $m->{hex} // ''), @payload);
        $waiting{$seq} = $m->{name};
    }
    while (%waiting) {
        my $pdu = $tx->read_pdu() or die "connection lost\n";
        $take->($pdu, $tx);
    }
    my $expected = grep { $_->{status} == 0 } @{ $out{answers} };
    while (@{ $out{receipts} } < $expected) {
        my $pdu = $rx->read_pdu() or die "connection lost\n";
        $take->($pdu, $rx);
    }
    for my $smpp ($tx == $rx ? ($tx) : ($tx, $rx)) {
        my $resp = $smpp->unbind();
        die "unbind not answered\n" unless $resp;
    }
};
$out{error} = $@ if $@;
print encode_json(\%out), "\n";
exit($out{error} ? 1 : 0);
