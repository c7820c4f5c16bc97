// What stands in a node: chips, cells, rows of them, and what does not move. Uses LOOKS and byEntry.

const svg = (name, attributes = {}, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  element.append(...children);
  return element;
};

const CHIP = 20, CELL = 22, OFFSETS = 11, MARK = 14, NOTE = 11;
const HEAD = 24, PLAIN = ['event', 'again'];

const wear = (element, look) => element.style.setProperty('--look', `var(--eda-${look})`);

function glyph(look, x, y, size) {
  const path = svg('path', {d: LOOKS[look].path, transform: `translate(${x},${y}) scale(${size})`, class: 'eda-glyph'});
  wear(path, look);
  return path;
}

// A box for one message. What it shows is changed only where it differs.
function createChip(x, y, width, height, kind) {
  const box = svg('rect', {x, y, width, height, rx: kind === 'cells' ? 2 : height / 2});
  const inner = svg('rect', {x: x + 2.5, y: y + 2.5, width: width - 5, height: height - 5, class: 'eda-inner'});
  const shape = svg('path', {transform: `translate(${x + 10},${y + height / 2}) scale(5)`, class: 'eda-glyph'});
  const text = svg('text', {
    x: kind === 'cells' ? x + width / 2 : x + (width + 15) / 2, y: y + height / 2 + 4, 'text-anchor': 'middle',
  });
  const title = svg('title');
  const element = svg('g', {class: `eda-slot eda-${kind}`}, box, title);
  // In a cell there is room for a shape at its corner only, and only for what is out of the ordinary.
  if (kind === 'cells') shape.setAttribute('transform', `translate(${x + width - 4},${y + 4}) scale(4.2)`);
  element.append(...(kind === 'cells' ? [inner, text, shape] : [shape, text]));
  let shown;
  return {
    element,
    show(value, message, same, dim, open) {
      const key = value ? `${value} ${same} ${dim} ${open}` : '';
      if (key === shown) return;
      shown = key;
      element.setAttribute('class', `eda-slot eda-${kind}${value ? ' eda-full' : ''}${same ? ' eda-same' : ''}`
        + (dim ? ' eda-dim' : '') + (value && open ? ' eda-open' : '') + (value && value[1] === 'again' ? ' eda-twice' : ''));
      text.textContent = value ? message.label : '';
      title.textContent = value ? `${message.name}: ${LOOKS[open ? 'uncommitted' : value[1]].label}` : '';
      shape.setAttribute('d', value && (kind === 'chips' || !PLAIN.includes(value[1])) ? LOOKS[value[1]].path : '');
      if (value) wear(element, value[1]); else element.style.removeProperty('--look');
    },
  };
}

const label = row => svg('text', {x: row.left, y: row.y + 15, class: 'eda-label'}, row.label);

function createCells(row, context) {
  const {x, y, slots, slot} = row;
  const chips = [], offsets = [], marks = [];
  const element = svg('g', {}, label(row));
  for (let at = 0; at < slots; at += 1) {
    chips.push(createChip(x + at * slot, y, slot - 3, CELL, 'cells'));
    offsets.push(svg('text', {x: x + at * slot + (slot - 3) / 2, y: y + CELL + 9, class: 'eda-offset'}));
  }
  element.append(...chips.map(chip => chip.element), ...offsets);
  row.groups.forEach(([group, called], place) => {
    const at = y + CELL + OFFSETS + MARK * place + 7;
    const name = svg('text', {x: row.left, y: at + 4, class: 'eda-label eda-group'}, called);
    const bar = svg('path', {class: 'eda-bar'});
    const title = svg('title');
    element.append(name, svg('path', {d: `M${x},${at}h${slots * slot - 3}`, class: 'eda-rail'}), svg('g', {}, title, bar));
    marks.push({group, at, bar, title});
  });
  return {
    element,
    draw(field) {
      const log = field(row.holds);
      const start = Math.max(0, log.size - slots);
      for (let at = 0; at < slots; at += 1) {
        context.fill(chips[at], log.values.get(start + at) ?? null);
        offsets[at].textContent = start + at < log.size ? start + at : '';
      }
      for (const {group, at, bar, title} of marks) {
        const next = field(row.marks).values.get(group);
        const far = next === undefined ? 0 : Math.max(0, Math.min(slots, next - start)) * slot - 1.5;
        bar.setAttribute('d', next === undefined ? '' : far > 0
          ? `M${x},${at - 1.5}H${x + far - 4}V${at - 4}L${x + far},${at}L${x + far - 4},${at + 4}V${at + 1.5}H${x}Z`
          : `M${x},${at - 4}L${x + 4},${at}L${x},${at + 4}Z`);
        title.textContent = next === undefined ? '' : `${group} has committed up to offset ${next}`;
      }
    },
  };
}

function createChips(row, context) {
  const {x, y, slots, slot} = row;
  const [among, wanted] = row.among, [stopped, stopper] = row.stopped;
  const count = svg('text', {x: x + slots * slot + 2, y: y + 14, class: 'eda-count'});
  const chips = Array.from({length: slots}, (_, at) => createChip(x + at * slot, y, slot - 4, CHIP, 'chips'));
  const notes = row.notes.map((_, line) => chips.map((_, at) => (
    svg('text', {x: x + at * slot + (slot - 4) / 2, y: y + CHIP + 9 + line * NOTE, class: 'eda-offset'}))));
  // What is in the row: [entry, chip], in order.
  function held(field) {
    const here = field(row.holds), inside = entry => !among || field(among).values.get(entry) === wanted;
    if (!row.also.length) return here.entries.filter(inside).map(entry => [entry, here.values.get(entry)]);
    const waits = field(stopped).values.has(stopper);
    const more = row.also.flatMap(name => [...field(name).values].map(([entry, [message, state]]) => [entry, [message, waits ? 'blocked' : state]]));
    return [...here.values, ...more].filter(([entry]) => inside(entry)).sort(([a], [b]) => byEntry(a, b));
  }
  return {
    element: svg('g', {}, label(row), ...chips.map(chip => chip.element), ...notes.flat(), count),
    draw(field) {
      const all = held(field);
      const start = row.shows === 'last' ? Math.max(0, all.length - slots) : 0;
      chips.forEach((chip, at) => {
        const [entry, value] = all[start + at] ?? [null, null];
        context.fill(chip, value);
        row.notes.forEach(([name, template], line) => {
          const said = value && field(name).values.get(entry);
          notes[line][at].textContent = said == null ? '' : template.replace('{value}', said.toLocaleString('en'));
        });
      });
      const hidden = all.length - slots;
      count.textContent = hidden <= 0 ? '' : row.shows === 'last' ? all.length : `+${hidden}`;
    },
  };
}

// A broker's copy of a partition. All copies of one show the same offsets.
function createReplica(row, context) {
  const {x, y, left, slots, slot, width, label: partition, node, controller, peers} = row;
  const cells = y + HEAD, right = left + width, role = left + partition.length * 6.9 + 10;
  const height = slots ? HEAD + CELL + OFFSETS + 4 : HEAD - 6;
  const frame = svg('rect', {x: left - 5, y, width: width + 10, height, rx: 5, class: 'eda-replica'});
  const star = glyph('leader', role + 5, y + 8, 6), told = svg('text', {y: y + 12});
  const sync = svg('text', {x: right - 13, y: y + 12, 'text-anchor': 'end', class: 'eda-sync'});
  const mark = svg('path', {class: 'eda-water'});
  const high = svg('text', {x: x + slots * slot + 3, y: cells + 9, class: 'eda-number-of'});
  const last = svg('text', {x: x + slots * slot + 3, y: cells + 20, class: 'eda-number-of eda-label'});
  const seen = glyph('done', right - 5, y + 8, 4.5);
  const places = Array.from({length: slots}, (_, at) => ({
    chip: createChip(x + at * slot, cells, slot - 3, CELL, 'cells'),
    gone: svg('path', {transform: `translate(${x + at * slot + (slot - 3) / 2},${cells + CELL / 2}) scale(5)`, class: 'eda-glyph'}),
    offset: svg('text', {x: x + at * slot + (slot - 3) / 2, y: cells + CELL + 9, class: 'eda-offset'}),
  }));
  const element = svg('g', {}, frame, svg('text', {x: left, y: y + 12, class: 'eda-partition'}, partition), star, told, sync, seen,
    ...places.flatMap(({chip, gone, offset}) => [chip.element, gone, offset]), svg('g', {}, svg('title', {}, 'high watermark'), mark), high, last);
  const begin = of => of('log start').values.get(partition) ?? 0;
  const end = of => (of(`log ${partition}`).entries.at(-1) ?? begin(of) - 1) + 1;

  function stand(field, far) {
    const leader = field('leader').values.get(partition), epoch = field('epoch').values.get(partition);
    const fenced = far(controller, 'fenced').values.has(node);
    const inSync = !fenced && (far(controller, 'in sync').values.get(partition) ?? node).split(' ').includes(node);
    const leads = leader === node;
    frame.setAttribute('class', `eda-replica${leads ? ' eda-leads' : inSync ? '' : ' eda-out'}`);
    star.style.display = leads ? '' : 'none';
    told.setAttribute('x', leads ? role + 14 : role);
    told.setAttribute('class', leads ? 'eda-leader' : 'eda-follower');
    told.textContent = leader === undefined ? ''
      : `${leads ? 'leader' : leader === 'nobody' ? 'no leader' : `follows ${leader}`}, epoch ${epoch}`;
    sync.textContent = fenced ? 'fenced' : inSync ? 'in sync' : 'out of sync';
    const look = inSync ? 'done' : 'refused';
    seen.setAttribute('d', LOOKS[look].path);
    [sync, seen].forEach(each => wear(each, look));
  }

  return {
    element,
    draw(field, far) {
      stand(field, far);
      if (!slots) return;
      const log = field(`log ${partition}`).values, water = field('high watermark').values.get(partition) ?? 0;
      const from = begin(field), upTo = end(field), furthest = Math.max(...peers.map(peer => end(name => far(peer, name))));
      const first = Math.max(0, furthest - slots);
      places.forEach(({chip, gone, offset}, at) => {
        const here = first + at, value = log.get(here) ?? null;
        context.fill(chip, value, here >= water);
        const why = value || here >= upTo ? '' : here < from ? 'trimmed' : 'compacted';
        gone.setAttribute('d', why && LOOKS[why].path);
        if (why) wear(gone, why); else gone.style.removeProperty('--look');
        offset.textContent = here < furthest ? here : '';
      });
      const at = x + (water - first) * slot - 1.5;
      mark.setAttribute('d', water < first || water > first + slots ? ''
        : `M${at - 4},${cells - 7}h8l-4,5zM${at - 1.1},${cells - 3}h2.2v${CELL + 6}h-2.2z`);
      high.textContent = `hw ${water}`;
      last.textContent = `end ${upTo}`;
    },
  };
}

const MOST_SAID = 4;

// What a part of a text says of a field.
function toldOf([name, says, only, zero, absent, node], field, far) {
  const {values, entries} = node ? far(node, name) : field(name);
  const say = (entry, value) => {
    const template = (value === 0 && zero) || says || '{entry}: {value}';
    return template.replaceAll('{entry}', typeof entry === 'number' ? `p${entry}` : entry).replaceAll('{value}', value);
  };
  const said = (only ? [only] : entries.slice(0, MOST_SAID)).filter(entry => values.has(entry))
    .map(entry => say(entry, values.get(entry)));
  return said.length ? said.join('  ') + (!only && entries.length > MOST_SAID ? ' …' : '') : absent;
}

function createText(row) {
  const text = svg('text', {x: row.x, y: row.y + 14, class: 'eda-text', style: `font-size: ${row.size}px`});
  const name = label(row);
  return {
    element: svg('g', {}, name, text),
    draw(field, far) {
      const there = !row.when || field(row.when).size > 0;
      name.textContent = there ? row.label : '';
      text.textContent = there ? row.parts.map(part => toldOf(part, field, far)).filter(said => said).join('  ') : '';
    },
  };
}

// What stands in a node and does not move. A step may light some of its parts.
const styled = (name, styles) => [name, ...styles.filter(each => each).map(each => `eda-${each}`)].join(' ');

function createMark([kind, at, colour, text, style, tint, ground]) {
  const paint = `var(--eda-${colour})`;
  if (kind === 'text') {
    const [side, ...more] = style.split(' ');
    return svg('text', {x: at[0], y: at[1], 'text-anchor': side, class: styled('eda-mark-text', more),
      style: `font-size: ${at[2]}px; fill: ${paint}`}, text);
  }
  if (kind === 'shape') {
    return svg('path', {d: LOOKS[text].path, transform: `translate(${at[0]},${at[1]}) scale(${at[2]}) rotate(${at[3]})`, style: `fill: ${paint}`});
  }
  const points = at.reduce((all, each, place) => all + (place % 2 ? ',' : ' ') + each, '');
  if (kind === 'area') return svg('polygon', {points, style: `fill: ${paint}`, class: 'eda-mark-area'});
  const classes = styled(`eda-mark-${kind}`, style.split(' '));
  if (kind === 'line') return svg('polyline', {points, class: classes, style: `stroke: ${paint}`});
  const fill = tint ? `color-mix(in srgb, ${paint} ${tint * 100}%, var(--eda-${ground}))` : `var(--eda-${ground})`;
  return svg('rect', {x: at[0], y: at[1], width: at[2], height: at[3], rx: at[4], class: classes, style: `stroke: ${paint}; fill: ${fill}`});
}

function createMarks(marks) {
  const parts = new Map();
  const element = svg('g', {});
  for (const mark of marks) {
    const drawn = createMark(mark);
    const [part, when] = mark.slice(7);
    if (when) drawn.classList.add(`eda-when-${when}`);
    if (part) {
      if (!parts.has(part)) parts.set(part, []);
      parts.get(part).push({drawn, says: mark[0] === 'text' && !mark[3]});
    }
    element.append(drawn);
  }
  let shown = [];
  return {
    element,
    light(states) {
      for (const [part, state] of shown) {
        parts.get(part).forEach(({drawn, says}) => {
          drawn.classList.remove(`eda-is-${state}`);
          if (says) drawn.textContent = '';
        });
      }
      shown = states.filter(([part]) => parts.has(part));
      for (const [part, state, text] of shown) {
        parts.get(part).forEach(({drawn, says}) => {
          drawn.classList.add(`eda-is-${state}`);
          if (says) drawn.textContent = text;
        });
      }
    },
  };
}

const ROWS = {cells: createCells, chips: createChips, text: createText, replica: createReplica};
