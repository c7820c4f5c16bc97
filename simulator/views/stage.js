// The picture of a run: nodes with what they hold, links, and what is under way. Uses LOOKS.

const svg = (name, attributes = {}, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  element.append(...children);
  return element;
};

const CHIP = 20, DOOR = 13, CELL = 22, OFFSETS = 11, MARK = 14, LANE = 8, FLIGHT_GAP = 17, NOTE = 11;
const LEAST = .72;
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

function createNode(node, context) {
  const frame = svg('rect', {width: node.w, height: node.h, rx: 9, class: 'eda-box'});
  const badge = svg('g', {class: 'eda-badge'});
  const rows = node.rows.map(row => ROWS[row.kind](row, context));
  const marks = createMarks(node.marks);
  const element = svg('g', {class: 'eda-node'}, frame,
    svg('text', {x: 10, y: 19, class: 'eda-name'}, node.name,
      svg('tspan', {dx: 6, class: 'eda-kind'}, node.title)),
    badge, marks.element, ...rows.map(row => row.element));
  let said = '';
  return {
    element,
    light: marks.light,
    // The names of the other nodes whose fields it shows, too.
    watches: new Set(node.rows.flatMap(row => [
      ...(row.peers ?? []), row.controller, ...(row.parts ?? []).map(part => part[5])]).filter(name => name)),
    draw(field, far) {
      const status = field('status').values.get('') ?? '';
      if (status !== said) {
        said = status;
        badge.replaceChildren(...(status ? [glyph(status, node.w - 16, 15, 6.5)] : []));
        badge.style.removeProperty('--look');
        if (status) {
          badge.append(svg('text', {x: node.w - 27, y: 19, 'text-anchor': 'end'}, LOOKS[status].label));
          wear(badge, status);
        }
        element.classList.toggle('eda-off', status !== '');
      }
      rows.forEach(row => row.draw(field, far));
    },
  };
}

// A way through points, walked by fractions of its length; `aside` shifts it to its own right.
function createRoute(points) {
  const places = [];
  let length = 0;
  for (let at = 0; at < points.length; at += 2) {
    const here = {x: points[at], y: points[at + 1]};
    const before = places.at(-1);
    length += before ? Math.hypot(here.x - before.x, here.y - before.y) : 0;
    places.push({...here, length});
  }
  return {
    length,
    path: 'M' + places.map(({x, y}) => `${x},${y}`).join('L'),
    at(fraction, aside = 0) {
      const wanted = fraction * length;
      let next = 1;
      while (next < places.length - 1 && places[next].length < wanted) next += 1;
      const a = places[next - 1], b = places[next];
      const span = b.length - a.length || 1, part = (wanted - a.length) / span;
      const dx = (b.x - a.x) / span, dy = (b.y - a.y) / span;
      return {x: a.x + (b.x - a.x) * part - dy * aside, y: a.y + (b.y - a.y) * part + dx * aside, dx, dy};
    },
  };
}

export function createStage(data) {
  const messages = new Map(data.messages.map(([id, look, label, name]) => [id, {look: data.looks[look], label, name}]));
  const bright = data.focus?.messages ? new Set(data.focus.messages) : null;
  const brightNodes = data.focus ? new Set(data.focus.nodes) : null;
  const context = {
    message: 0,
    fill(chip, value, open = false) {
      chip.show(value, value && messages.get(value[0]), value !== null && value[0] === context.message,
        value !== null && bright !== null && !bright.has(value[0]), open);
    },
  };
  const nodes = data.nodes.map(node => createNode(node, context));
  const numbers = new Map(data.nodes.map((node, at) => [node.name, at]));
  const links = data.links.map(link => ({
    element: svg('g', {class: `eda-link${link[2] ? ' eda-behind' : ''}`}), line: svg('path', {class: 'eda-line'}), head: svg('path', {class: 'eda-head'}),
    cut: svg('g', {class: 'eda-cut'}),
  }));
  links.forEach(({element, line, head, cut}) => element.append(line, head, cut));
  const sky = svg('g', {class: 'eda-sky'});
  const element = svg('svg', {class: 'eda-stage', 'aria-hidden': 'true'},
    ...links.map(link => link.element), ...nodes.map(node => node.element), sky);
  if (brightNodes) {
    nodes.forEach((node, at) => node.element.classList.toggle('eda-dim', !brightNodes.has(at)));
    links.forEach((link, at) => link.element.classList.toggle('eda-dim', !data.links[at].slice(0, 2).some(end => brightNodes.has(end))));
  }
  const flying = new Map();
  let routes = [], placed = null, breadth = 0;

  function createFlight(flight) {
    const [number, copy, , against, , , , , , lost] = flight;
    const message = messages.get(number);
    const shape = svg('path', {class: 'eda-glyph'});
    const halo = svg('circle', {r: 13, class: 'eda-halo'});
    const name = svg('text', {class: 'eda-tag', 'text-anchor': 'middle'}, message.label);
    const group = svg('g', {class: 'eda-flight'}, svg('title', {}, message.name), halo, shape, name);
    if (bright && !bright.has(number)) group.classList.add('eda-dim');
    let look = '', now = null;
    return {
      element: group,
      show(point, gone, isNow) {
        const wanted = gone ? 'lost' : copy > 0 ? 'again' : message.look;
        if (wanted !== look) {
          look = wanted;
          wear(group, look);
          shape.setAttribute('d', LOOKS[look].path);
          name.textContent = gone ? `${message.label} lost`.trim() : message.label;
        }
        if (isNow !== now) group.classList.toggle('eda-now', now = isNow);
        group.setAttribute('transform', `translate(${point.x.toFixed(1)},${point.y.toFixed(1)})`);
        // A triangle points the way it goes; no other shape has a direction.
        const turn = look === 'request' ? Math.atan2(point.dy, point.dx) * 180 / Math.PI + (against ? 180 : 0) : 0;
        const small = look === 'protocol' ? 5.5 : 8;
        shape.setAttribute('transform', `rotate(${turn.toFixed(0)}) scale(${small})`);
        const down = Math.abs(point.dy) > Math.abs(point.dx);
        const side = against ? 1 : -1;
        name.setAttribute('x', down ? -side * 13 : 0);
        name.setAttribute('y', down ? 4 : side * 17 + (side > 0 ? 5 : 0));
        name.setAttribute('text-anchor', down ? (side > 0 ? 'end' : 'start') : 'middle');
      },
    };
  }

  // How far along its link a flight is when a step has happened.
  function progress(flight, step, time) {
    const [, , , , sent, end, left, arrives, reach] = flight;
    if (step < sent || step === -1 && sent !== -1) return 0;
    if (step >= end) return reach;
    return arrives > left ? Math.max(0, Math.min(1, (time - left) / (arrives - left))) * reach : 0;
  }

  return {
    element,
    // Take the first or the second layout, whichever reads better at this width.
    fit(width) {
      const [wide, tall] = data.layouts;
      const grows = layout => Math.min(1.12, (width - 18) / (layout.w + 20));
      const wanted = grows(wide) < .8 && grows(tall) > grows(wide) * 1.1 ? tall : wide;
      // A tall picture shrinks a little, so that the controls below it stay in sight.
      const low = Math.max(.74, .64 * window.innerHeight / (wanted.h + 48));
      // One that has to be scrolled in any case may as well be read.
      const scale = grows(wanted) < LEAST ? .85 : Math.max(Math.min(grows(wanted), low), LEAST);
      const pad = 10, top = 24;
      element.setAttribute('viewBox', `${-pad} ${-top} ${wanted.w + 2 * pad} ${wanted.h + 2 * top}`);
      breadth = Math.round((wanted.w + 2 * pad) * scale);
      element.style.width = `${breadth}px`;
      if (placed === wanted) return false;
      placed = wanted;
      nodes.forEach((node, at) => node.element.setAttribute('transform', `translate(${wanted.at[at]})`));
      routes = wanted.routes.map(createRoute);
      links.forEach(({line, head, cut}, at) => {
        line.setAttribute('d', routes[at].path);
        const {x, y, dx, dy} = routes[at].at(1);
        const turn = Math.atan2(dy, dx) * 180 / Math.PI;
        head.setAttribute('transform', `translate(${x},${y}) rotate(${turn.toFixed(1)})`);
        head.setAttribute('d', 'M-9,-4.5L0,0L-9,4.5Z');
        const middle = routes[at].at(.5);
        cut.setAttribute('transform', `translate(${middle.x},${middle.y})`);
        cut.replaceChildren(svg('circle', {r: 9, class: 'eda-clear'}), glyph('lost', 0, 0, 6));
      });
      return true;
    },
    // Draw what nodes hold. `changed` are the nodes that may differ; all of them when the current message differs.
    drawNodes(state, changed, message, node, lit) {
      const all = message !== context.message;
      context.message = message;
      nodes.forEach((drawn, at) => {
        const differs = changed === null || changed.has(at) || [...drawn.watches].some(name => changed.has(numbers.get(name)));
        if (all || differs) drawn.draw(name => state.field(at, name), (node, name) => state.field(numbers.get(node), name));
        drawn.element.classList.toggle('eda-now', at === node);
        drawn.light(lit.filter(([which]) => which === at).map(([, ...part]) => part));
      });
    },
    // Draw what is under way, `part` (0 to 1) of the way from one step to another.
    drawFlights(from, to, part, hidden) {
      const seen = new Set();
      const low = Math.min(from.step, to.step), high = Math.max(from.step, to.step);
      const resting = part >= 1;
      const lanes = new Map();
      for (let at = 0; at < data.flights.length; at += 1) {
        const flight = data.flights[at];
        const sent = flight[4], end = flight[5];
        if (sent > high) break;
        // What arrived at the last step has stepped through the door when the next one begins.
        const past = to.step > from.step ? end <= low && end < to.step : end < low;
        if (past || resting && (sent > to.step || end < to.step) || hidden(flight)) continue;
        const a = progress(flight, from.step, from.time), b = progress(flight, to.step, to.time);
        const lane = flight[2] * 2 + flight[3];
        if (!lanes.has(lane)) lanes.set(lane, []);
        lanes.get(lane).push({at, flight, fraction: a + (b - a) * part});
        seen.add(at);
      }
      for (const [lane, drawn] of lanes) {
        const route = routes[lane >> 1], against = lane & 1;
        drawn.sort((a, b) => b.fraction - a.fraction || a.at - b.at);
        // Messages at one place queue up behind the first, as long as there is room on the link.
        const gap = Math.min(FLIGHT_GAP / route.length, 1 / drawn.length);
        let ahead = 1 + gap;
        drawn.forEach(({at, flight, fraction}, place) => {
          const room = gap * (drawn.length - 1 - place);
          ahead = Math.max(Math.min(fraction, ahead - gap), Math.min(room, ahead - gap), 0);
          // A message stands before a node's door, not in its wall.
          const door = DOOR / route.length, open = door + ahead * (1 - 2 * door);
          const along = against ? 1 - open : open;
          if (!flying.has(at)) {
            flying.set(at, createFlight(flight));
            sky.append(flying.get(at).element);
          }
          const ended = flight[9] !== '' && to.step >= flight[5] && (resting || part > .6);
          flying.get(at).show(route.at(along, against ? LANE : -LANE), ended, to.step === flight[4] || to.step === flight[5]);
        });
      }
      for (const [at, {element: gone}] of flying) {
        if (!seen.has(at)) {
          gone.remove();
          flying.delete(at);
        }
      }
    },
    // The picture's width on the page, and from where to where in it a node reaches.
    get width() { return breadth; },
    reach(node) {
      const [x] = placed.at[node], scale = breadth / (placed.w + 20);
      return [(x + 10) * scale, (x + 10 + data.nodes[node].w) * scale];
    },
    drawCuts(time) {
      links.forEach(({element: link}, at) => {
        link.classList.toggle('eda-is-cut', data.cuts.some(([which, start, end]) => which === at && start <= time && time < end));
      });
    },
  };
}
