# make demo, make test: see README.md. PG_CONFIG chooses the PostgreSQL.
SHELL := /bin/bash
PG_CONFIG ?= $(shell command -v pg_config || echo /usr/bin/pg_config)
PG_MAJOR = $(shell $(PG_CONFIG) --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
VERSION = $(shell sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -1)
TARGET = target/pg$(PG_MAJOR)
CARGO = PGRX_PG_CONFIG_PATH=$(PG_CONFIG) CARGO_TARGET_DIR=$(TARGET) cargo
FEATURES = pg$(PG_MAJOR)

.PHONY: build install demo test
build:
	$(CARGO) build --locked --release --features "$(FEATURES)"

install: build
	install -m 755 $(TARGET)/release/libsafedelete.so "$$($(PG_CONFIG) --pkglibdir)/safedelete.so.new"
	mv "$$($(PG_CONFIG) --pkglibdir)/safedelete.so.new" "$$($(PG_CONFIG) --pkglibdir)/safedelete.so"
	install -m 644 safedelete.control sql/safedelete--*.sql "$$($(PG_CONFIG) --sharedir)/extension/"
