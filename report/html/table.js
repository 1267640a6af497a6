'use strict';
// Tables sort by a click on the head of a column: by the cells' data-v where
// they have it, else by their text. Once more turns the order round.

for (const table of document.querySelectorAll('table')) {
  const body = table.tBodies[0];
  if (!table.tHead || body.rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = el('button', { type: 'button', title: 'sort by ' + head.textContent }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const numeric = head.classList.contains('n');
      const before = head.getAttribute('aria-sort');
      const descending = before ? before === 'ascending' : numeric; // figures: the largest first
      for (const h of heads) h.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const value = (row) => {
        const cell = row.cells[column];
        const v = cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
        return numeric && typeof v === 'string' ? parseFloat(v) || 0 : v;
      };
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// A filter shows the rows whose first cell has its text.
for (const input of document.querySelectorAll('input[data-filter]')) {
  const rows = [...byId(input.dataset.filter).tBodies[0].rows];
  const shown = byId(input.dataset.filter + '-shown');
  const apply = () => {
    const wanted = input.value.toLowerCase();
    let n = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      if (!row.hidden) n++;
    }
    if (shown) shown.textContent = wanted ? n + ' of ' + rows.length : '';
  };
  input.addEventListener('input', apply);
  apply(); // a page that is loaded anew may keep the text
}
