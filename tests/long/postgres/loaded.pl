# Whether the TAP tests' servers get the library: tests/long/postgres/run puts this in front of them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('loaded');
$node->init;
$node->start;
is($node->safe_psql('postgres', 'SHOW safedelete.mode'), $ENV{MODE}, 'preloaded for the server');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is($node->safe_psql('postgres', "SELECT setting || ' ' || context FROM pg_settings WHERE name = 'safedelete.mode'"),
	"$ENV{MODE} superuser", 'preloaded for the session');
$node->stop;
done_testing();
