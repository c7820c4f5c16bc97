// The picture of a run: nodes with what they hold, links, and what is under way. Uses LOOKS and rows.js.

const DOOR = 13, LANE = 8, FLIGHT_GAP = 17, LEAST = .72;

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
  const quiet = step => data.quiet[step] === '1';
  const quietFlights = data.flights.map(flight => quiet(Math.max(flight[4], 0)) && (flight[9] === '' || quiet(flight[5])));
  data.flights.forEach((flight, at) => { flight.at = at; });
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
    // Whether a message on its way is nothing but background: in whatever becomes of it, too.
    isQuiet: ({at}) => quietFlights[at],
    // Draw what nodes hold at a step. `changed` are the nodes that may differ; all of them when the current message differs.
    drawNodes(state, changed, step) {
      const [message, node] = step < 0 ? [0, -1] : [data.message[step], data.node[step]];
      const lit = data.lit[step] ?? [];
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
