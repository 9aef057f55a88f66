#!/usr/bin/perl
# A notification daemon on the session bus of its user that shows nothing: it writes down what it is asked to show, one
# notice a line. It speaks D-Bus by itself, so that a container needs nothing but Perl's base.
#
#   notifications.pl FILE
use strict;
use warnings;
use IO::Socket::UNIX;

my ($log) = @ARGV;
my ($place) = ($ENV{DBUS_SESSION_BUS_ADDRESS} // '') =~ /^unix:path=([^,;]+)/;
my $bus = IO::Socket::UNIX->new(Peer => $place // "$ENV{XDG_RUNTIME_DIR}/bus") or die "no session bus: $!";
my ($serial, $shown) = (0, 0);

sub got {
    my ($wanted) = @_;
    my $bytes = '';
    while (length $bytes < $wanted) {
        sysread($bus, $bytes, $wanted - length $bytes, length $bytes) or exit 0;
    }
    return $bytes;
}

sub padded {
    my ($bytes) = @_;
    return $bytes . "\0" x (-length($bytes) % 8);
}

# Header fields are [code, type, value], with the types s, o, g and u.
sub message {
    my ($type, $body, @fields) = @_;
    my $header = '';
    for my $field (@fields) {
        my ($code, $kind, $value) = @$field;
        $value = $kind eq 'u' ? pack('V', $value) : pack($kind eq 'g' ? 'C/a* x' : 'V/a* x', $value);
        $header = padded($header) . pack('C C/a* x', $code, $kind) . $value;
    }
    my $start = pack('a C C C V V V', 'l', $type, 0, 1, length $body, ++$serial, length $header);
    syswrite($bus, padded($start . $header) . $body);
}

sub call {
    my ($member, $signature, $body) = @_;
    my @to = ([1, 'o', '/org/freedesktop/DBus'], [2, 's', 'org.freedesktop.DBus'], [6, 's', 'org.freedesktop.DBus']);
    message(1, $body, @to, [3, 's', $member], $signature ? [8, 'g', $signature] : ());
}

syswrite($bus, "\0AUTH EXTERNAL " . unpack('H*', $<) . "\r\n");
my $answer = '';
$answer .= got(1) until $answer =~ /\r\n$/;
die $answer unless $answer =~ /^OK/;
syswrite($bus, "BEGIN\r\n");
call('Hello', '', '');
call('RequestName', 'su', pack('V/a* x', 'org.freedesktop.Notifications') . "\0" x 2 . pack('V', 0));

while (1) {
    my (undef, $type, undef, undef, $length, $their_serial, $fields_length) = unpack('a C C C V V V', got(16));
    my $fields = got($fields_length + -$fields_length % 8);
    my $body = $length ? got($length) : '';
    my ($at, %field) = (0);
    while ($at < $fields_length) {
        $at += -$at % 8;
        my ($code, $kind) = unpack("x$at C C/a*", $fields);
        $at += 4;
        if ($kind eq 'u') {
            $field{$code} = unpack("x$at V", $fields);
            $at += 4;
        }
        else {
            my $is_signature = $kind eq 'g';
            $field{$code} = unpack("x$at " . ($is_signature ? 'C/a*' : 'V/a*'), $fields);
            $at += length($field{$code}) + ($is_signature ? 2 : 5);
        }
    }
    next unless $type == 1;
    my @back = ([5, 'u', $their_serial], [6, 's', $field{7}]);
    if ($field{3} eq 'Notify') {
        my ($start, @texts) = (0);
        for my $kind (qw(s u s s s)) {
            $start += -$start % 4;
            my $text = unpack("x$start " . ($kind eq 's' ? 'V/a*' : 'V'), $body);
            $start += $kind eq 's' ? length($text) + 5 : 4;
            push @texts, $text;
        }
        open(my $file, '>>', $log) or die "$log: $!";
        print {$file} join(' | ', map { s/\n/ \/ /gr } @texts[0, 3, 4]), "\n";
        close $file;
        message(2, pack('V', ++$shown), @back, [8, 'g', 'u']);
    }
    elsif ($field{3} eq 'GetCapabilities') {
        message(2, pack('V', 9) . pack('V/a* x', 'body'), @back, [8, 'g', 'as']);
    }
    elsif ($field{3} eq 'GetServerInformation') {
        my $text = join '', map { my $t = pack('V/a* x', $_); $t . "\0" x (-length($t) % 4) } qw(recorder openclaw 1 1.2);
        message(2, $text, @back, [8, 'g', 'ssss']);
    }
    else {
        message(3, '', @back, [4, 's', 'org.freedesktop.DBus.Error.UnknownMethod']);
    }
}
