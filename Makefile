# The front door. CMake does the work; its presets are in CMakePresets.json.
#
#   make          build/foggara
#   make demo     builds, then shows the tunnel over a bad link   (LOSS=20 DELAY=100 SIZE=20M)
#   make check    installs what the tests need, builds, runs them all
#   make sim      more seeds of the simulator                     (SEEDS=1..20000)
#   make fuzz     fuzzes one target with libFuzzer (needs clang)  (T=datagram SECONDS=60)
#   make bench    measures foggara and its peers; needs root      (BENCH=--quick)
#   make install  into PREFIX (/usr/local), DESTDIR is honoured
#   make fmt      formats the sources

JOBS    := $(shell getconf _NPROCESSORS_ONLN)
LOSS    ?= 10
DELAY   ?= 50
SIZE    ?= 20M
SEEDS   ?= 1..20000
T       ?= datagram
SECONDS ?= 60
BENCH   ?=
PREFIX  ?= /usr/local

.PHONY: all demo check sim fuzz bench install fmt clean

all:
	@scripts/need build
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) -- --no-print-directory

demo: all
	@build/foggara demo --loss $(LOSS) --delay $(DELAY) --size $(SIZE)

check:
	@scripts/need test
	@scripts/check

sim:
	@scripts/need test
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan -j $(JOBS) --target fog_sim -- --no-print-directory
	build/asan/fog_sim --seeds $(SEEDS) --jobs $(JOBS)

fuzz:
	@command -v clang >/dev/null || { echo "make fuzz needs clang"; exit 1; }
	@test -d test/fuzz/corpus/$(T) || { echo "no target $(T):" $$(ls test/fuzz/corpus); exit 1; }
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS) --target fuzz_$(T) -- --no-print-directory
	mkdir -p build/fuzz/found/$(T)
	build/fuzz/fuzz_$(T) -max_total_time=$(SECONDS) -rss_limit_mb=512 -print_final_stats=1 \
	    build/fuzz/found/$(T) test/fuzz/corpus/$(T)

bench: all
	@cmake --preset release -DFOG_BENCH=ON >/dev/null
	@cmake --build --preset release -j $(JOBS) --target bench_tools -- --no-print-directory
	@bench/run $(BENCH) || test $$? = 77 # not measured, and it has said why

install: all
	@cmake --install build --prefix $(PREFIX)

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build
