'use strict';
// The timeline of the loop: blocks as bars, coloured by cause; how late the loop
// was, in the part without a profile, as a line; pauses for garbage below.

data.places = data.places.map(([name, file, line, column]) => [name, data.files[file], line, column]);

if (data.blocks.length + data.curve.length + data.gcs.length > 0) timeline();

function timeline() {
  byId('timeline').hidden = false;
  const plot = byId('plot');
  const detail = byId('block');
  const { blocks, curve, gcs, causes, places } = data;
  const end = Math.max(data.duration, 1, ...blocks.map((b) => b.start + b.wall));
  const top = Math.max(data.threshold * 1.15, ...blocks.map((b) => b.duration), ...curve.map(([, late]) => late)) * 1.05;
  const margin = { left: 62, right: 10, top: 22, bottom: 40 };
  const height = 272;
  let [from, to] = [0, end];
  let chosen = blocks.reduce((worst, b, i) => (b.duration > blocks[worst].duration ? i : worst), 0);

  const color = (cause) => 'c' + (cause % 7);
  const legend = byId('legend');
  causes.forEach((name, i) => {
    const n = blocks.filter((b) => b.cause === i).length;
    if (n) legend.append(el('li', {}, el('span', { class: 'swatch ' + color(i) }), name + (n > 1 ? ' (' + n + ')' : '')));
  });
  legend.append(el('li', {}, el('span', { class: 'swatch dashed' }), 'from ' + ms(data.threshold) + ' on it is a block'));
  if (curve.length) legend.append(el('li', {}, el('span', { class: 'swatch line' }), 'delay'));
  if (gcs.length) legend.append(el('li', {}, el('span', { class: 'swatch' }), 'garbage collection'));

  let width, x, y, unx;
  function draw() {
    const focused = plot.contains(document.activeElement);
    width = Math.max(240, plot.clientWidth);
    const [x0, x1, y0, y1] = [margin.left, width - margin.right, height - margin.bottom, margin.top];
    x = (t) => x0 + ((t - from) / (to - from)) * (x1 - x0);
    unx = (px) => from + ((px - x0) / (x1 - x0)) * (to - from);
    y = (v) => y0 + (v / top) * (y1 - y0);
    const inside = (t) => Math.min(x1, Math.max(x0, x(t)));
    const svg = el('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'group', 'aria-label': 'The loop over time' });

    if (data.profileStart > from && data.profileStart < end && curve.length) {
      svg.append(el('rect', { class: 'unprofiled', x: x0, y: y1, width: Math.max(0, inside(data.profileStart) - x0), height: y0 - y1 }));
      if (inside(data.profileStart) - x0 > 150) svg.append(el('text', { x: x0, y: y1 - 8 }, 'delay only, no profiler'));
    }
    for (const v of ticks(0, top, 4)) {
      svg.append(el('line', { class: 'grid', x1: x0, x2: x1, y1: y(v), y2: y(v) }));
      svg.append(el('text', { x: x0 - 6, y: y(v) + 4, 'text-anchor': 'end' }, ms(v)));
    }
    for (const t of ticks(from / 1000, to / 1000, Math.max(3, Math.floor(width / 110)))) {
      svg.append(el('line', { class: 'axis', x1: x(t * 1000), x2: x(t * 1000), y1: y0 + 9, y2: y0 + 13 }));
      svg.append(el('text', { x: x(t * 1000), y: y0 + 27, 'text-anchor': 'middle' }, +t.toFixed(3) + ' s'));
    }
    // Pauses that fall on the same pixels are one mark, so that thousands stay quick.
    let last = -1;
    for (const [start, length, major] of gcs) {
      if (start + length < from || start > to) continue;
      const [a, b] = [inside(start), Math.max(inside(start) + 1.5, inside(start + length))];
      if (b <= last) continue;
      svg.append(el('rect', { class: 'pause' + (major ? ' major' : ''), x: Math.max(a, last), y: y0 + 1, width: b - Math.max(a, last), height: 7 }));
      last = b;
    }
    svg.append(el('line', { class: 'axis', x1: x0, x2: x1, y1: y0, y2: y0 }));
    svg.append(el('line', { class: 'limit', x1: x0, x2: x1, y1: y(data.threshold), y2: y(data.threshold) }));

    blocks.forEach((b, i) => {
      if (b.start + b.wall < from || b.start > to) return;
      const a = inside(b.start);
      const rect = el('rect', {
        class: 'block ' + color(b.cause) + (i === chosen ? ' on' : ''), 'data-i': i, x: a, y: y(b.duration),
        width: Math.max(3, inside(b.start + b.wall) - a), height: y0 - y(b.duration), rx: 1,
        role: 'button', tabindex: i === chosen ? 0 : -1, 'aria-pressed': i === chosen, 'aria-label': headline(b, i),
      }, el('title', {}, headline(b, i)));
      svg.append(rect);
    });
    if (curve.length) {
      // Lateness is of the time before its point: steps, not slopes.
      const d = [];
      let before = 0;
      for (const [at, late] of curve) {
        if (at >= from && before <= to) d.push((d.length ? 'L' : 'M') + inside(before) + ' ' + y(late) + 'L' + inside(at) + ' ' + y(late));
        before = at;
      }
      svg.append(el('path', { class: 'curve', d: d.join('') }));
    }
    plot.replaceChildren(svg);
    if (focused) svg.querySelector('.block.on')?.focus({ preventScroll: true });
    byId('zoom-out').disabled = byId('zoom-all').disabled = from <= 0 && to >= end;
  }

  function headline(b, i) {
    return `Block ${i + 1} of ${blocks.length}: ${causes[b.cause]} in ${places[b.place][0]}, ${ms(b.duration)}, at ${ms(b.start)}`;
  }

  function show() {
    const b = blocks[chosen];
    if (!b) {
      detail.hidden = true;
      return;
    }
    detail.className = 'panel ' + color(b.cause);
    const place = places[b.place];
    const code = data.codes.find((c) => c.place === b.place);
    const facts = [`at ${ms(b.start)}`];
    if (b.wall > b.duration * 1.1) facts.push(`${ms(b.wall)} by the clock, without a core for the rest`);
    if (b.gc > 0) facts.push(`${ms(b.gc)} of it garbage collection`);
    if (b.requests.length) facts.push('meanwhile: ' + b.requests.join(', '));
    detail.replaceChildren(...[
      el('h3', {}, `${ms(b.duration)}: ${b.detail || causes[b.cause]} in `, el('code', {}, place[0])),
      el('p', { class: 'facts' }, `Block ${chosen + 1} of ${blocks.length}, cause ${causes[b.cause]}, ` + facts.join('; ')),
      place[1] ? el('code', { class: 'position' }, position(place)) : undefined,
      code ? el('pre', { class: 'code' }, el('span', { class: 'number' }, String(place[2])), code.text) : undefined,
      b.stack.length ? el('h4', {}, 'Stack, innermost call first') : undefined,
      b.stack.length ? el('ol', { class: 'stack' }, ...b.stack.map((s) =>
        el('li', {}, el('code', {}, places[s][0]), ' ', el('span', { class: 'position' }, places[s][1] ? position(places[s]) : '')))) : undefined,
    ].filter((e) => e));
  }

  function choose(i) {
    chosen = Math.max(0, Math.min(blocks.length - 1, i));
    const b = blocks[chosen];
    if (b.start < from || b.start + b.wall > to) look(b.start + b.wall / 2 - (to - from) / 2, b.start + b.wall / 2 + (to - from) / 2);
    else draw();
    show();
  }

  // look shows a part of the time, at least 20 ms.
  function look(a, b) {
    const span = Math.min(end, Math.max(20, b - a));
    from = Math.max(0, Math.min(end - span, (a + b) / 2 - span / 2));
    to = from + span;
    draw();
  }
  function closer(by, around) {
    look(around - (around - from) * by, around + (to - around) * by);
  }
  const middle = () => {
    const b = blocks[chosen];
    return b && b.start >= from && b.start <= to ? b.start + b.wall / 2 : (from + to) / 2;
  };
  byId('zoom-in').addEventListener('click', () => closer(1 / 2, middle()));
  byId('zoom-out').addEventListener('click', () => closer(2, middle()));
  byId('zoom-all').addEventListener('click', () => look(0, end));

  const at = (event) => (event.clientX - plot.getBoundingClientRect().left) * (width / plot.clientWidth);
  let drag;
  plot.addEventListener('pointerdown', (event) => {
    if (event.button === 0) drag = { x: at(event), moved: false };
  });
  plot.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const now = at(event);
    if (Math.abs(now - drag.x) < 5 && !drag.moved) return;
    drag.moved = true;
    plot.setPointerCapture(event.pointerId);
    plot.querySelector('.drag')?.remove();
    plot.firstChild.append(el('rect', { class: 'drag', x: Math.min(now, drag.x), y: margin.top, width: Math.abs(now - drag.x), height: height - margin.top - margin.bottom }));
  });
  plot.addEventListener('pointerup', (event) => {
    if (!drag) return;
    const now = at(event);
    const { x: began, moved } = drag;
    drag = undefined;
    if (moved) {
      look(unx(Math.min(now, began)), unx(Math.max(now, began)));
    } else if (blocks.length) {
      // A bar may be three pixels wide: what is nearest counts.
      const t = unx(now);
      const near = blocks.reduce((best, b, i) => {
        const off = t < b.start ? b.start - t : Math.max(0, t - b.start - b.wall);
        return off < best.off ? { i, off } : best;
      }, { i: chosen, off: Infinity });
      if (Math.abs(x(t) - x(t + near.off)) < 20) {
        choose(near.i);
        plot.querySelector('.block.on')?.focus({ preventScroll: true });
      }
    }
  });
  plot.addEventListener('pointercancel', () => {
    drag = undefined;
    draw();
  });
  plot.addEventListener('dblclick', () => look(0, end));
  plot.addEventListener('keydown', (event) => {
    const i = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: blocks.length - 1 }[event.key];
    if (i !== undefined) choose(i);
    else if (event.key === '+') closer(1 / 2, middle());
    else if (event.key === '-') closer(2, middle());
    else if (event.key === '0') look(0, end);
    else if (event.key === 'Enter' || event.key === ' ') show();
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => plot.clientWidth !== width && draw()).observe(plot);
  draw();
  show();
}
