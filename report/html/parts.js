'use strict';
// What the page's scripts share. Text of the program reaches the page by
// textContent only: the page's policy refuses markup made of strings.

const data = JSON.parse(document.getElementById('data').textContent);

const byId = (id) => document.getElementById(id);

// el makes an element; attributes are set as they are, children are elements or text.
function el(name, attributes, ...children) {
  const svg = ['svg', 'g', 'rect', 'path', 'line', 'text', 'title', 'circle'].includes(name);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== false) e.setAttribute(key, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== ''));
  return e;
}

// ms and the like are as report/units.go has them.
function ms(v) {
  if (v >= 9995) return (v / 1000).toFixed(1) + ' s';
  if (v >= 999.5) return (v / 1000).toFixed(2) + ' s';
  if (v >= 9.95 || v === 0) return v.toFixed(0) + ' ms';
  return v.toFixed(1) + ' ms';
}

function percent(share) {
  const p = 100 * share;
  return (p >= 9.5 || p === 0 ? p.toFixed(0) : p.toFixed(1)) + ' %';
}

// ticks returns about count round values from low to high.
function ticks(low, high, count) {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const all = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); k++) all.push(k * step);
  return all;
}

// A place is [function, file, line, column].
function position([, file, line, column]) {
  return file + (line > 0 ? ':' + line + (column > 0 ? ':' + column : '') : '');
}

function shortPosition([, file, line]) {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1) + (line > 0 ? ':' + line : '');
}
