// The replay: picture, sentence, timeline, controls, list of steps, causes. Uses createState, createStage, svg, and parts.js.
// `mount(root, data, options)` is all that other widgets need: their module is made of this file and their own.

const SPEEDS = [[.5, '½×'], [1, '1×'], [2, '2×'], [4, '4×'], [10, '10×']];
const ROW = 30, SPARE = 6, MOST_CAUSES = 12;
// How long a step takes while it plays, in milliseconds; a message's arrival and its loss are given time to be seen.
const SHORTEST = 130, LONGEST = 1100, USUAL = 420, ARRIVAL = 360, LOST = 600, GLIDE = 200;

function createPlayer(data, options) {
  const {onStep = ignore, settings} = options;
  const count = data.time.length;
  const state = createState(data);
  const stage = createStage(data);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const quiet = at => data.quiet[at] === '1';
  const arrivals = new Set(data.flights.map(flight => flight[5]));
  const timeAt = step => (step < 0 ? data.before : data.time[step]);
  const told = step => (step < 0 ? (data.first ? 'Before the first step of this part.' : 'Nothing has happened yet.') : data.sentence[step]);
  const stretch = count < data.total
    ? `, steps ${data.first.toLocaleString('en')} to ${(data.first + count - 1).toLocaleString('en')} of ${data.total.toLocaleString('en')}` : '';
  let current = -1, from = -1, playing = false, frame = 0, part = 1, last = 0;
  let shown = [], unit = 1, room = Infinity;

  // The steps one can step to: all, or those that are more than protocol.
  function choose() {
    shown = [-1];
    for (let at = 0; at < count; at += 1) if (settings.protocol || !quiet(at)) shown.push(at);
    const gaps = shown.map((step, at) => (at ? timeAt(step) - timeAt(shown[at - 1]) : 0)).filter(gap => gap > 0);
    unit = USUAL / (gaps.sort((a, b) => a - b)[gaps.length >> 1] || 1);
  }
  // The place in `shown` of the last step at or before this one.
  function placeOf(step) {
    let low = 0, high = shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (shown[middle] <= step) low = middle + 1; else high = middle;
    }
    return Math.max(low - 1, 0);
  }
  const hidden = flight => !settings.protocol && stage.isQuiet(flight);

  // Elements.

  const button = (name, label, act) => html('button', {type: 'button', 'aria-label': label, title: label, onclick: act}, icon(name));
  const clock = html('span', {class: 'eda-clock'});
  const say = html('p', {class: 'eda-say', role: 'status', 'aria-live': 'polite'});
  const toStart = button('first', 'To the start (Home)', () => goto(-1));
  const back = button('back', 'Step back (left arrow)', () => move(-1));
  const play = html('button', {type: 'button', class: 'eda-play', onclick: () => toggle()});
  const on = button('on', 'Step forward (right arrow)', () => move(1));
  const toEnd = button('last', 'To the end (End)', () => goto(shown.at(-1)));
  const slider = html('input', {type: 'range', min: 0, step: 1, 'aria-label': 'Step', class: 'eda-slider', oninput: () => {
    stop();
    goto(shown[Number(slider.value)]);
  }});
  const ticks = svg('svg', {class: 'eda-ticks', 'aria-hidden': 'true', preserveAspectRatio: 'none', viewBox: `0 0 1000 10`});
  const speed = html('select', {onchange: () => { settings.speed = Number(speed.value); }},
    ...SPEEDS.map(([value, label]) => html('option', {value}, label)));
  const jump = html('select', {onchange: () => {
    if (jump.value === '') return;
    stop();
    goto(Number(jump.value));
    jump.value = '';
  }}, html('option', {value: ''}, 'Jump to …'), ...data.marks.map(([label, step]) => html('option', {value: step}, label)));
  const protocol = html('input', {type: 'checkbox', onchange: () => {
    settings.protocol = protocol.checked;
    rechoose();
  }});
  const list = html('div', {class: 'eda-steps', role: 'listbox', tabindex: 0, 'aria-label': 'Steps', onscroll: () => drawList()});
  const rows = html('div', {class: 'eda-rows', role: 'presentation'});
  list.append(rows);
  const causes = html('ol', {class: 'eda-causes'});
  const theatre = html('div', {class: 'eda-theatre', tabindex: 0, role: 'group', 'aria-label':
    `Picture of ${data.nodes.map(node => node.name).join(', ')}. The sentence below tells what happens.`}, stage.element);
  const element = html('div', {class: 'eda-player'},
    html('div', {class: 'eda-top'},
      html('span', {class: 'eda-title'}, data.name, html('span', {class: 'eda-seed'}, ` seed ${data.seed}${stretch}`)), clock),
    theatre,
    say,
    html('div', {class: 'eda-line-of-time'}, ticks, slider),
    html('div', {class: 'eda-tools'},
      html('div', {class: 'eda-buttons', role: 'group', 'aria-label': 'Player'}, toStart, back, play, on, toEnd),
      html('label', {}, html('span', {}, 'Speed'), speed),
      data.marks.length ? html('label', {}, html('span', {class: 'eda-hidden'}, 'Jump to'), jump) : null,
      data.quiet.includes('1')
        ? html('label', {class: 'eda-check', title: 'Requests, acknowledgements, heartbeats, copies between brokers, a cluster’s own books'},
          protocol, html('span', {}, 'protocol messages')) : null),
    html('div', {class: 'eda-below'},
      html('section', {'aria-label': 'Steps'}, html('h3', {}, 'Steps', html('small', {}, ' number, time in ms')), list),
      html('section', {'aria-label': 'Why'}, html('h3', {}, 'Why did this happen?'), causes)),
    legend());

  function legend() {
    const items = data.legend.map(look => html('li', {}, shape(look), LOOKS[look].label));
    return html('ul', {class: 'eda-legend', 'aria-label': 'What the shapes mean'}, ...items);
  }

  // Drawing.

  function drawTicks() {
    const at = step => placeOf(step) / Math.max(shown.length - 1, 1) * 1000;
    ticks.replaceChildren(...data.tones.map((look, tone) => {
      let path = '';
      data.tone.forEach((each, step) => {
        if (each === tone && data.notable.includes(look)) path += `M${at(step).toFixed(1)},0V10`;
      });
      const line = svg('path', {d: path, 'vector-effect': 'non-scaling-stroke'});
      wear(line, look);
      return line;
    }));
  }

  function createRow(place) {
    const step = shown[place];
    const look = step < 0 ? null : data.tones[data.tone[step]];
    return html('div', {
      role: 'option', class: 'eda-row', style: `top:${place * ROW}px`, 'aria-selected': false, id: `${list.id}-${place}`,
      'aria-setsize': shown.length, 'aria-posinset': place + 1, title: told(step), onclick: () => { stop(); goto(step); },
    },
    html('span', {class: 'eda-number'}, step < 0 ? '' : String(step + data.first)),
    html('span', {class: 'eda-time'}, step < 0 ? '' : data.time[step].toLocaleString('en', {maximumFractionDigits: 1})),
    html('span', {class: 'eda-tone'}, look ? shape(look) : ''),
    html('span', {class: 'eda-told'}, told(step)));
  }

  // Only the rows in sight exist. They stay while they are in sight, and are marked anew at every step.
  let made = new Map(), marked = [];
  function drawList() {
    const height = list.clientHeight || 200;
    const begin = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
    const end = Math.min(shown.length, Math.ceil((list.scrollTop + height) / ROW) + SPARE);
    for (const [place, row] of made) {
      if (place < begin || place >= end) {
        row.remove();
        made.delete(place);
      }
    }
    for (let place = begin; place < end; place += 1) {
      if (!made.has(place)) {
        made.set(place, createRow(place));
        rows.append(made.get(place));
      }
    }
    for (const row of marked) {
      row.classList.remove('eda-because');
      row.setAttribute('aria-selected', false);
    }
    const at = placeOf(current);
    const now = shown[at] === current ? made.get(at) : undefined;
    now?.setAttribute('aria-selected', true);
    const because = chainOf(current).filter(step => shown[placeOf(step)] === step).map(step => made.get(placeOf(step)))
      .filter(row => row !== undefined);
    because.forEach(row => row.classList.add('eda-because'));
    marked = now ? [now, ...because] : because;
    if (made.has(at)) list.setAttribute('aria-activedescendant', `${list.id}-${at}`);
    else list.removeAttribute('aria-activedescendant');
  }

  function keepInSight() {
    const top = placeOf(current) * ROW, height = list.clientHeight;
    if (top < list.scrollTop || top + ROW > list.scrollTop + height) list.scrollTop = Math.max(0, top - 3 * ROW);
  }

  // Where the picture is wider than its place, the node of the step is scrolled to.
  function keepNodeInSight(node) {
    if (stage.width <= room) return;
    const [begin, end] = stage.reach(node), at = theatre.scrollLeft;
    if (begin < at || end - begin > room) theatre.scrollLeft = begin;
    else if (end > at + room) theatre.scrollLeft = end - room + 16;
  }

  // The steps that led to this one, the nearest first.
  function chainOf(step) {
    const chain = [];
    for (let at = step < 0 ? -1 : data.cause[step]; at >= 0; at = data.cause[at]) chain.push(at);
    return chain;
  }

  function drawCauses() {
    const chain = chainOf(current);
    const items = chain.slice(0, MOST_CAUSES).map(step => html('li', {},
      html('button', {type: 'button', onclick: () => { stop(); reveal(step); }},
        icon('because'), html('span', {class: 'eda-time'}, ms(data.time[step])), html('span', {}, told(step)))));
    if (chain.length > MOST_CAUSES) items.push(html('li', {class: 'eda-more'}, `… and ${chain.length - MOST_CAUSES} steps before that`));
    if (!items.length) items.push(html('li', {class: 'eda-more'},
      current < 0 ? 'Step forward, and see here what led to each step.' : 'Nothing in this run made it happen: a story begins here.'));
    causes.replaceChildren(...items);
  }

  const spot = step => ({step, time: timeAt(step)});

  function drawMotion() {
    const eased = playing ? part : 1 - (1 - part) ** 3;
    stage.drawFlights(spot(from), spot(current), part >= 1 ? 1 : eased, hidden);
    const time = timeAt(from) + (timeAt(current) - timeAt(from)) * eased;
    clock.textContent = `step ${current < 0 ? '–' : current + data.first} of ${data.first + count - 1} · ${ms(time)}`;
  }

  function drawStep(changed) {
    stage.drawNodes(state, changed, current);
    stage.drawCuts(timeAt(current));
    say.replaceChildren(html('span', {}, told(current)));
    if (data.notes[current]) say.append(' ', html('span', {class: 'eda-note'}, data.notes[current]));
    say.dataset.step = current;
    slider.value = placeOf(current);
    slider.setAttribute('aria-valuetext', current < 0 ? told(-1) : `Step ${current + data.first}: ${told(current)}`);
    toStart.disabled = back.disabled = current === -1;
    on.disabled = toEnd.disabled = current >= shown.at(-1);
    keepInSight();
    if (current >= 0) keepNodeInSight(data.node[current]);
    drawList();
    drawCauses();
  }

  // Moving.

  function goto(step, {glide = false, tell = true} = {}) {
    const target = Math.max(-1, Math.min(count - 1, step));
    if (target === current && part >= 1) return;
    from = glide ? current : target;
    current = target;
    part = glide ? 0 : 1;
    drawStep(state.go(current));
    drawMotion();
    if (glide && !playing) run();
    if (tell) onStep(current + data.first, playing);
  }

  // Go to a step that may be hidden among the protocol's.
  function reveal(step) {
    if (!settings.protocol && quiet(step)) {
      settings.protocol = protocol.checked = true;
      rechoose();
    }
    goto(step);
  }

  function move(by) {
    stop();
    const place = placeOf(current);
    // Back from a hidden step leads to the shown one before it.
    const next = shown[Math.max(0, Math.min(shown.length - 1, by < 0 && shown[place] < current ? place : place + by))];
    goto(next, {glide: !still.matches});
  }

  function lasting() {
    const usual = Math.min(LONGEST, Math.max(SHORTEST, Math.abs(timeAt(current) - timeAt(from)) * unit));
    const least = data.tones[data.tone[current]] === 'lost' ? LOST : arrivals.has(current) ? ARRIVAL : 0;
    return Math.max(usual, least) / settings.speed;
  }

  function run() {
    cancelAnimationFrame(frame);
    last = performance.now();
    frame = requestAnimationFrame(tick);
  }

  function tick(now) {
    let spent = now - last;
    last = now;
    while (spent > 0) {
      const length = playing ? lasting() : GLIDE;
      const left = (1 - part) * length;
      if (spent < left) {
        part += spent / length;
        break;
      }
      spent -= left;
      part = 1;
      const next = shown[placeOf(current) + 1];
      if (!playing || next === undefined) {
        if (playing) stop();
        break;
      }
      goto(next, {glide: true});
    }
    if (!still.matches || part >= 1) drawMotion();
    if (playing || part < 1) frame = requestAnimationFrame(tick);
  }

  function toggle(wanted = !playing) {
    if (wanted === playing) return;
    if (!wanted) { stop(); return; }
    if (current >= shown.at(-1)) goto(-1);
    playing = true;
    showPlaying();
    run();
  }

  function stop() {
    if (!playing) return;
    playing = false;
    cancelAnimationFrame(frame);
    part = 1;
    drawMotion();
    showPlaying();
    onStep(current + data.first, false);
  }

  function showPlaying() {
    play.replaceChildren(icon(playing ? 'pause' : 'play'), html('span', {}, playing ? 'Pause' : 'Play'));
    play.setAttribute('title', playing ? 'Pause (space)' : 'Play (space)');
    // Nobody can listen to many sentences a second.
    say.setAttribute('aria-live', playing ? 'off' : 'polite');
  }

  function rechoose() {
    choose();
    made = new Map();
    marked = [];
    rows.replaceChildren();
    rows.style.height = `${shown.length * ROW}px`;
    slider.max = shown.length - 1;
    drawTicks();
    drawStep(null);
    drawMotion();
  }

  const KEYS = {ArrowRight: () => move(1), ArrowLeft: () => move(-1), Home: () => { stop(); goto(-1); }, End: () => { stop(); goto(shown.at(-1)); }};

  function key(event) {
    const {target} = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches('select')) return;
    const upright = target === list || target === slider;
    let act = KEYS[event.key];
    if (upright && event.key === 'ArrowDown') act = target === list ? KEYS.ArrowRight : KEYS.ArrowLeft;
    if (upright && event.key === 'ArrowUp') act = target === list ? KEYS.ArrowLeft : KEYS.ArrowRight;
    if (event.key === ' ' && !target.matches('button, input[type=checkbox]')) act = () => toggle();
    if (!act) return;
    event.preventDefault();
    act();
  }

  list.id = `eda-steps-${Math.random().toString(36).slice(2)}`;
  speed.value = settings.speed;
  protocol.checked = settings.protocol;
  showPlaying();
  rechoose();
  return {
    element, key, goto, stop, reveal,
    get step() { return current + data.first; },
    get playing() { return playing; },
    first: data.first,
    fit(width) {
      room = width - 16;
      if (stage.fit(width)) drawMotion();
      keepInSight();
      drawList();
    },
    toggle,
  };
}

// Tells Python of the step on show, for a widget that has it in its model: at rest at once, while it plays now and then.
// The model never holds a newer step than was told: Python echoes what it is told, and an echo that differs from the model
// would look like a wish to go back there.
export function stepTeller(model, pause = 100) {
  let latest = 0, waiting = 0;

  function say() {
    clearTimeout(waiting);
    waiting = 0;
    model.set('step', latest);
    model.save_changes();
  }

  function tell(step, playing) {
    latest = step;
    if (!playing) say();
    else if (!waiting) waiting = setTimeout(say, pause);
  }

  return {tell, stop: () => clearTimeout(waiting)};
}

// Shows a replay in an element and gives a handle to it:
//   goto(step)   go to a step of the trace (the one before its first: data.first - 1)
//   show(data)   show another replay in its place, at once and without a blank frame; the player's settings stay
//   destroy()    stop everything
// Options: initial, the step to begin with; onStep(step, playing), told of every step, whoever chose it, but not of `goto`s.
export function mount(root, data, {initial = data.first - 1, onStep = ignore} = {}) {
  const settings = {speed: 1, protocol: false};
  let player = null;

  function show(next, step) {
    player?.stop();
    player = createPlayer(next, {onStep, settings});
    player.fit(root.clientWidth);
    player.goto(step - next.first, {tell: false});
    root.replaceChildren(player.element);
    player.fit(root.clientWidth);
    player.goto(step - next.first, {tell: false});
  }

  const keep = event => {
    if (event.key === 'Tab' || event.key === 'Escape') return;
    // JupyterLab's shortcuts would act on the notebook.
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.type === 'keydown') player.key(event);
  };
  const kinds = ['keydown', 'keypress', 'keyup'];
  kinds.forEach(kind => root.addEventListener(kind, keep));
  root.classList.add('eda', 'eda-replay');
  root.setAttribute('role', 'region');
  root.setAttribute('aria-label', `Replay of ${data.name}`);
  const watch = new ResizeObserver(() => player.fit(root.clientWidth));
  show(data, initial);
  watch.observe(root);
  return {
    goto: step => { player.stop(); player.goto(step - player.first, {tell: false}); },
    show: (next, step = next.first - 1) => show(next, step),
    toggle: wanted => player.toggle(wanted),
    get step() { return player.step; },
    destroy() {
      player.stop();
      watch.disconnect();
      kinds.forEach(kind => root.removeEventListener(kind, keep));
      root.replaceChildren();
    },
  };
}
