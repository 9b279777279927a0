# The face of the build: Meson and Ninja do the work.
#
#   make run      builds all and starts the chat (APP=path for another application, ARGS for more options)
#   make questions                 builds all and starts the question-and-answer board
#   make test     every test        make bench    the comparison with other servers
#   make fuzz     fuzz for minutes  make lint     layout, layers, ban list
#   make tsan     the tests where threads meet, with ThreadSanitizer
#   make bench-scale                what very many connections cost
#   make install  DESTDIR and PREFIX as usual; PUSHPIN=1 adds the name `pushpin` (docs/grip.md)
#
# Missing Debian packages (tools/packages) and npm packages are installed on the way.
B ?= build
APP ?= examples/chat
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.PHONY: all run questions test bench bench-scale fuzz tsan lint format install packages clean FORCE
all: $(B)/.configured
	@ninja -C $(B) holdfast holdfast-worker

run: all
	@$(B)/holdfast dev $(APP) $(ARGS)

questions: all
	@$(B)/holdfast dev examples/questions $(ARGS)

test: all test-packages test/node_modules/.package-lock.json
	@meson test -C $(B) --print-errorlogs
	@if [ -x test/run ]; then HOLDFAST=$(abspath $(B))/holdfast test/run $(ARGS); fi

bench: all bench-packages
	@[ -d test/bench/node_modules ] || npm --prefix test/bench \
	    $(if $(wildcard test/bench/package-lock.json),ci,install --no-package-lock) --no-audit --no-fund
	@node test/bench/run.mjs $(ARGS)

bench-scale: all
	@meson compile -C $(B) load
	@node test/bench/scale.mjs $(ARGS)

tsan: all test-packages test/node_modules/.package-lock.json
	@tools/tsan $(B)

fuzz: fuzz-packages node_modules/.package-lock.json
	@tools/fuzz $(FUZZ_SECONDS)

lint: lint-packages node_modules/.package-lock.json
	@tools/lint

format: lint-packages
	@tools/lint --fix

install: all
	@DESTDIR="$(DESTDIR)" PUSHPIN="$(PUSHPIN)" tools/install $(B) "$(PREFIX)"

packages:
	@tools/install-packages build
%-packages:
	@tools/install-packages $*

# The lock file of what is installed, written by npm itself, is newer than ours once `npm ci` has run.
node_modules/.package-lock.json: package-lock.json | packages
	@npm ci --no-audit --no-fund
	@touch $@

test/node_modules/.package-lock.json: test/package-lock.json | packages
	@npm --prefix test ci --no-audit --no-fund
	@touch $@

# The list of sources is part of the configuration: a new file is picked up by itself.
$(B)/.configured: FORCE node_modules/.package-lock.json | packages
	@tools/configure $(B)

clean:
	@rm -rf $(B)
FORCE:
