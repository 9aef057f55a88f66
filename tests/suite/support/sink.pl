#!/usr/bin/perl
# A web server that takes everything: 200 and nothing else, whatever is sent.
#
#   sink.pl PORT
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]", Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    my $head = '';
    while ($head !~ /\r\n\r\n/) {
        sysread($client, $head, 4096, length $head) or last;
    }
    my ($length) = $head =~ /content-length: *(\d+)/i;
    my $have = length($head) - index($head, "\r\n\r\n") - 4;
    while ($have < ($length // 0)) {
        $have += sysread($client, my $more, 4096) || last;
    }
    print {$client} "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    close $client;
}
