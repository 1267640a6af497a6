'use strict';
// The flame graph, callers above what they call. A frame is
// [parent, place, kind, total, self]; parents come before their children, and
// heavier frames before lighter ones.

if (data.flames.length) flames();

function flames() {
  byId('flames').hidden = false;
  const box = byId('flame');
  const about = byId('frame');
  const find = byId('find');
  const select = byId('thread');
  const row = 20; // pixels
  const thinnest = 2;
  let flame, left, depth, children, zoomed, focused, width;

  data.flames.forEach((f, i) => select.append(el('option', { value: i }, `${f.name}, ${ms(f.total)}`)));
  select.parentElement.hidden = data.flames.length < 2;

  function load(i) {
    flame = data.flames[i];
    const n = flame.frames.length;
    left = new Float64Array(n); // where a frame begins, in ms
    depth = new Int32Array(n);
    children = flame.frames.map(() => []);
    children[-1] = [];
    const next = new Float64Array(n + 1); // where the next child of a frame begins; of -1 last
    flame.frames.forEach(([parent, , , total], k) => {
      children[parent].push(k);
      const slot = parent < 0 ? n : parent;
      left[k] = next[slot];
      next[slot] += total;
      next[k] = left[k];
      depth[k] = parent < 0 ? 1 : depth[parent] + 1;
    });
    zoomed = focused = -1;
    byId('flame-left').textContent = flame.left ? `${flame.left} lighter frames are left out.` : '';
    draw();
    tell(-1);
  }

  const total = (k) => (k < 0 ? flame.total : flame.frames[k][3]);
  const parent = (k) => (k < 0 ? -1 : flame.frames[k][0]);
  const label = (k) => {
    if (k < 0) return `all, ${ms(flame.total)}`;
    const place = data.places[flame.frames[k][1]];
    return place[0] + (place[1] ? '  ' + shortPosition(place) : '');
  };

  function ancestors(k) {
    const set = new Set([-1]);
    for (; k >= 0; k = parent(k)) set.add(k);
    return set;
  }

  function draw() {
    width = box.clientWidth;
    const begin = zoomed < 0 ? 0 : left[zoomed];
    const scale = width / Math.max(total(zoomed), 1e-9);
    const above = ancestors(zoomed);
    const wanted = find.value.toLowerCase();
    const boxes = [];
    let deepest = 0;
    let hit = 0;
    const add = (k) => {
      const ancestor = above.has(k);
      const x = ancestor ? 0 : (left[k] - begin) * scale;
      const w = ancestor ? width : total(k) * scale;
      if (w < thinnest) return false;
      const found = wanted && k >= 0 && matches(k, wanted);
      const e = el('div', {
        class: 'box ' + (k < 0 ? 'all' : flame.kinds[flame.frames[k][2]]) + (ancestor && k !== zoomed ? ' above' : '') + (found ? ' hit' : ''),
        'data-k': k, role: 'treeitem', tabindex: k === focused ? 0 : -1, 'aria-level': (k < 0 ? 0 : depth[k]) + 1,
        'aria-label': k < 0 ? label(k) : words(k),
      });
      if (w > 30) e.textContent = label(k);
      const d = k < 0 ? 0 : depth[k];
      e.style.left = x + 'px';
      e.style.width = Math.max(1, w - 0.5) + 'px';
      e.style.top = d * row + 'px';
      deepest = Math.max(deepest, d);
      boxes.push(e);
      return true;
    };
    const todo = [-1];
    while (todo.length) {
      const k = todo.pop();
      if (!add(k)) continue;
      for (const c of children[k]) {
        if (!above.has(k) || k === zoomed || above.has(c)) todo.push(c);
      }
    }
    box.style.height = (deepest + 1) * row + 'px';
    box.classList.toggle('found', wanted !== '');
    const keep = box.contains(document.activeElement);
    box.replaceChildren(...boxes);
    const target = box.querySelector(`[data-k="${focused}"]`) || box.firstChild;
    target.setAttribute('tabindex', 0);
    if (keep) target.focus({ preventScroll: true });
    byId('flame-out').disabled = zoomed < 0;
    if (wanted) {
      // Of frames within one another that match, the outermost counts.
      const inside = (k) => { for (k = parent(k); k >= 0; k = parent(k)) if (matches(k, wanted)) return true; return false; };
      flame.frames.forEach((f, k) => { if (matches(k, wanted) && !inside(k)) hit += f[3]; });
      about.textContent = `${percent(hit / Math.max(flame.total, 1e-9))} of the time is in functions that match.`;
    }
  }

  function matches(k, wanted) {
    const [name, file] = data.places[flame.frames[k][1]];
    return name.toLowerCase().includes(wanted) || file.toLowerCase().includes(wanted);
  }

  function words(k) {
    const [, place, , all, self] = flame.frames[k];
    return `${data.places[place][0]}: ${ms(all)} in all, ${percent(all / flame.total)} of the time; ${ms(self)} in itself`;
  }

  function tell(k) {
    if (k < 0) {
      about.textContent = `${flame.name}: ${ms(flame.total)} in which the thread was not idle.`;
      return;
    }
    const [, place, , all, self] = flame.frames[k];
    const p = data.places[place];
    about.replaceChildren(el('code', {}, p[0]), p[1] ? el('span', { class: 'in' }, ' ' + position(p)) : '',
      `: ${ms(all)} in all, ${percent(all / flame.total)} of the time; ${ms(self)} in itself`);
  }

  function zoom(k) {
    zoomed = focused = k;
    draw();
    if (!find.value) tell(k);
  }

  const of = (event) => {
    const e = event.target.closest('.box');
    return e ? Number(e.dataset.k) : undefined;
  };
  box.addEventListener('click', (event) => {
    const k = of(event);
    if (k !== undefined) zoom(k);
  });
  box.addEventListener('pointerover', (event) => {
    const k = of(event);
    if (k !== undefined) tell(k);
  });
  box.addEventListener('focusin', (event) => {
    const k = of(event);
    if (k !== undefined) tell((focused = k));
  });
  box.addEventListener('keydown', (event) => {
    const visible = (k) => box.querySelector(`[data-k="${k}"]`);
    const sibling = (by) => {
      const all = children[parent(focused)].filter(visible);
      return focused < 0 ? -1 : all[all.indexOf(focused) + by];
    };
    let to;
    if (event.key === 'ArrowUp') to = parent(focused);
    else if (event.key === 'ArrowDown') to = children[focused].find(visible);
    else if (event.key === 'ArrowLeft') to = sibling(-1);
    else if (event.key === 'ArrowRight') to = sibling(1);
    else if (event.key === 'Enter' || event.key === ' ') zoom(focused);
    else if (event.key === 'Escape' || event.key === 'Home') zoom(-1);
    else return;
    event.preventDefault();
    if (to === undefined || !visible(to)) return;
    visible(focused)?.setAttribute('tabindex', -1);
    focused = to;
    visible(to).setAttribute('tabindex', 0);
    visible(to).focus({ preventScroll: true });
  });
  byId('flame-out').addEventListener('click', () => zoom(-1));
  find.addEventListener('input', () => {
    draw();
    if (!find.value) tell(focused);
  });
  select.addEventListener('change', () => load(Number(select.value)));
  new ResizeObserver(() => {
    if (box.clientWidth !== width) draw();
  }).observe(box);
  load(0);
}
