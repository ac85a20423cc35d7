# make demo and make test are README.md's two commands. PG_CONFIG chooses the PostgreSQL; without
# it, the newest that is installed.
SHELL := /bin/bash
# PG_MAJOR=15 names one of those in their usual place; where it is said in the command, an environment's PG_CONFIG
# is not asked.
ifneq ($(PG_MAJOR),)
ifeq ($(origin PG_CONFIG),undefined)
PG_CONFIG := /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
endif
ifeq ($(origin PG_MAJOR)/$(origin PG_CONFIG),command line/environment)
PG_CONFIG := /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config
endif
endif
PG_CONFIG ?= $(shell ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -V | tail -1)
export PG_CONFIG
# Asked when it is needed, for setup may have installed it.
override PG_MAJOR = $(shell $(PG_CONFIG) --version 2>/dev/null | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
TARGET = target/pg$(PG_MAJOR)
# Where tools/setup unpacks Debian's Rust, if the one in PATH is too old.
export PATH := $(CURDIR)/target/rust/usr/bin:$(PATH)
CARGO = PGRX_PG_CONFIG_PATH=$(PG_CONFIG) CARGO_TARGET_DIR=$(TARGET) cargo

.PHONY: help setup all build build-inserver install uninstall demo picture test test-core cli install-cli test-cli \
	test-postgres-cassert package test-package test-notices test-meta test-setup test-oldest rpm test-rpm \
	test-reproducible checksums tree test-tree pgxn test-pgrx workflows lint advisories bench clean
help:
	@sed -nE 's/^## ?//p' Makefile

## make demo            replay the incident on a throw-away server
## make test            every test, on the PostgreSQL of PG_CONFIG
## make test-docs       the SQL of README.md and docs/ is run, its output compared
## make test-upgrade    every version's SQL, and its way to the newest
## make test-postgres   PostgreSQL's own regression, isolation and contrib suites with the library loaded, modes
##                      off and log; make test-postgres-cassert on a server built with assertions
## make cli             safedelete-check, the reviewer's program; make install-cli puts it beside psql
## make test-cli        safedelete-check against a server, and with --scratch
## make test-clients    Alembic, Django and Liquibase against the guard (from PyPI and npm), and what Django,
##                      SQLAlchemy, Sequelize and Knex write by themselves
## make test-incidents  public accidents, replayed
## make test-comparison beside pg-safeupdate, pg_savior, pg_strict and sql_safe_updates, statement by statement
## make test-company    beside other extensions of Debian, in both orders of preloading
## make test-around     PgBouncer, standby, replication, dumps, pg_upgrade (NEW_PG_CONFIG)
## make test-faults     kill -9, full disks, timeouts, errors inside errors, memory of long sessions
## make test-fuzz       random conditions, whole statements against the truth, damaged scripts for check, policies
##                      (FUZZ_SECONDS)
## make test-valgrind   regress, isolation and corpus below Valgrind's memcheck
## make package         Debian packages and a bill of materials for a PG_MAJOR, in target/packages; for another Debian
##                      than this one with RELEASE (bookworm, trixie); make test-package installs them in clean roots
## make test-setup      what stands in the way of a build or an installation is told in one line; make test-oldest: the
##                      library in the oldest minor release that packages allow
## make rpm             the same as RPMs; make test-rpm
## make test-reproducible  builds the packages twice, in two folders: they have to be the same
## make tree            a directory for PostgreSQL 18's extension_control_path; make test-tree tries it
## make pgxn            the PGXN archive, in target/packages
## make test-pgrx       cargo pgrx install gives what make install gives (installs cargo-pgrx)
## make picture         draw README.md's picture anew
## make bench           instructions, times, throughput, memory; docs/performance.md anew
## make install         build, and install into the PostgreSQL of PG_CONFIG
## make lint            rustfmt, clippy, and what tools/ looks for
## make advisories      what RustSec's database says of the crates, fetched anew

# Installs what is missing, or says what to install.
setup:
	@tools/setup

# What the PGXN client calls.
all: build

build: setup
	$(CARGO) build --locked --release --features "pg$(PG_MAJOR)"

# What was there before goes: a script of cargo pgrx install's would be found before the versions' own.
install: build
	@lib=$$($(PG_CONFIG) --pkglibdir) && share=$$($(PG_CONFIG) --sharedir)/extension && \
	server=$$($(PG_CONFIG) --bindir)/postgres && { test -w "$$lib" || as_root=sudo; } && \
	{ test ! -f "$$server" || packaging/symbols $(TARGET)/release/libsafedelete.so "$$server"; } && \
	$$as_root install -m 755 $(TARGET)/release/libsafedelete.so "$$lib/safedelete.so.new" && \
	$$as_root mv "$$lib/safedelete.so.new" "$$lib/safedelete.so" && \
	$$as_root rm -f "$$share"/safedelete--*.sql && \
	$$as_root install -m 644 safedelete.control sql/safedelete--*.sql "$$share/" && \
	echo "installed safedelete into $$lib"

uninstall:
	@lib=$$($(PG_CONFIG) --pkglibdir) && share=$$($(PG_CONFIG) --sharedir)/extension && \
	{ test -w "$$lib" || as_root=sudo; } && \
	$$as_root rm -f "$$lib/safedelete.so" "$$share/safedelete.control" "$$share"/safedelete--*.sql && \
	echo "removed safedelete from $$lib"

# A program of its own: what the library is built of stays as it is.
CHECK = target/cli/release/safedelete-check
cli: setup
	CARGO_TARGET_DIR=target/cli cargo build --locked --release --package safedelete-check

install-cli: cli
	@bin=$$($(PG_CONFIG) --bindir) && { test -w "$$bin" || as_root=sudo; } && \
	$$as_root install -m 755 $(CHECK) "$$bin/" && echo "installed safedelete-check into $$bin"

demo: install
	@bash docs/demo/run

test-core: setup
	cargo test --locked --package safedelete-core --target-dir target/core

# The build with in-server tests, beside the plain one, which is what the other tests and users load. All but the
# library itself is compiled once for both, and the library without optimization: that takes a few seconds.
build-inserver: setup
	CARGO_BUILD_BUILD_DIR=$${CARGO_BUILD_BUILD_DIR:-$(TARGET)} $(CARGO) build --locked --release \
	  --features "pg$(PG_MAJOR) pg_test" --target-dir $(TARGET)/inserver \
	  --config profile.release.package.safedelete.opt-level=0 \
	  --config profile.release.package.safedelete.debug-assertions=true \
	  --config profile.release.package.safedelete.overflow-checks=true

test: setup test-core build-inserver install
	@tests/run

# tests/NAME/run, or tests/long/NAME/run.
test-cli: install cli
	cargo test --locked --package safedelete-check --target-dir target/cli-test
	@tests/run cli

test-%: install
	@tests/run $*

test-postgres-cassert: setup
	@tests/long/postgres/cassert

picture: install
	@docs/demo/picture

# On this system, or in a clean RELEASE of Debian's.
ifeq ($(RELEASE),)
package: setup
	@packaging/build
	@packaging/deb
test-package: package test-notices test-meta test-setup
	@packaging/test-oldest $(PG_MAJOR)
	@packaging/test-deb
else
package:
	@packaging/build-in $(RELEASE)
test-package: package
	@packaging/test-deb
endif

rpm: setup
	@packaging/build
	@packaging/rpm

test-notices test-meta test-setup: setup
	@packaging/$@

test-oldest: build
	@packaging/test-oldest $(PG_MAJOR)

test-rpm: rpm
	@packaging/test-rpm

test-reproducible: setup
	@packaging/test-reproducible

# SHA256SUMS.NAME of what is in target/packages; a release has one of each system.
checksums:
	@cd target/packages && sha256sum -- $$(ls | grep -v '^SHA256SUMS') >"SHA256SUMS$(if $(NAME),.$(subst :,-,$(NAME)))"

workflows:
	@tools/workflows

tree: setup
	@packaging/build
	@packaging/tree

test-tree: build
	@packaging/test-tree

test-pgrx: setup
	@packaging/test-pgrx

pgxn:
	@packaging/pgxn

bench: install
	@bench/all

lint: setup
	cargo fmt --all --check
	tools/boundary
	tools/rooms
	tools/columns
	tools/workflows
	tools/deny
	$(CARGO) clippy --locked --release --workspace --all-targets --features "pg$(PG_MAJOR) pg_test" -- -D warnings

advisories:
	@tools/deny --fetch

clean:
	rm -rf target tests/results
