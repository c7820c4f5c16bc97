// Two runs on one clock: a picture of each, and one bar for both. Uses html, svg, icon, shape, createState, createStage.
// `createDuet(options)` gives {element, setup(frame), show(replay), goto(time), fit(), key(event), destroy()}.

const PACES = [[1 / 100, '100 × slower'], [1 / 30, '30 × slower'], [1 / 10, '10 × slower'], [1, 'as fast as it is'], [4, '4 × faster']];
const LONGEST_WAIT = 350, SETTLE = 160, SMALLEST = .66;

const countUpTo = (times, time) => {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1; else high = middle;
  }
  return low;
};

// One of the two: its picture, what is counted up, and the sentence of its latest step.
function createSide(name) {
  const tallies = html('ul', {class: 'eda-tallies'});
  const theatre = html('div', {class: 'eda-theatre', tabindex: 0, role: 'group', 'aria-label': `Picture of ${name}`});
  const say = html('p', {class: 'eda-say'});
  const element = html('section', {class: 'eda-side', 'aria-label': name},
    html('div', {class: 'eda-top'}, html('span', {class: 'eda-title'}, name), tallies), theatre, say);
  let data = null, layouts, state, stage, loud = [], counters = [], drawnAt = null;
  return {
    element,
    get loud() { return loud; },
    count(wanted) {
      counters = wanted.map(({look, told, times}) => ({times, number: html('b', {}, '0'), look, told}));
      tallies.replaceChildren(...counters.map(({look, told, number}) => html('li', {}, shape(look), number, ` ${told}`)));
    },
    show(next) {
      if (data === next) return;
      data = next;
      drawnAt = null;
      if (!data) { theatre.replaceChildren(); loud = []; return; }
      loud = data.time.filter((_, step) => data.quiet[step] !== '1');
      layouts = data.bothLayouts ??= data.layouts;
      state = createState(data);
      stage = createStage(data);
      theatre.replaceChildren(stage.element);
    },
    // Beside each other both run downwards, above each other to the right: so both are in sight at once.
    fit(beside) {
      if (!data || !theatre.clientWidth) return;
      const [wide, tall] = layouts;
      const chosen = beside || theatre.clientWidth < wide.w * SMALLEST ? tall : wide;
      data.layouts = [chosen, chosen];
      if (stage.fit(theatre.clientWidth - 16)) drawnAt = null;
    },
    draw(time) {
      for (const {times, number} of counters) {
        const count = String(countUpTo(times, time));
        if (number.textContent !== count) number.textContent = count;
      }
      if (!data) return '';
      const step = countUpTo(data.time, time) - 1;
      if (step !== drawnAt) {
        const changed = state.go(step);
        stage.drawNodes(state, drawnAt === null ? null : changed, step);
        drawnAt = step;
        let told = step;
        while (told >= 0 && data.quiet[told] === '1') told -= 1;
        say.textContent = told < 0 ? 'Nothing has happened yet.' : data.sentence[told];
        say.classList.toggle('eda-old', told < 0 || data.time[told] < time);
      } else if (step >= 0) {
        say.classList.toggle('eda-old', data.time[step] < time);
      }
      const spot = {step, time};
      stage.drawFlights(spot, spot, 1, stage.isQuiet);
      stage.drawCuts(time);
      return say.classList.contains('eda-old') ? '' : say.textContent;
    },
  };
}

function createDuet({names, onTime, onOutside}) {
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const sides = names.map(createSide);
  let time = 0, end = 1, span = [0, 0], events = [], playing = false, frame = 0, last = 0, asking = 0, asked = null, ahead = {from: 0, to: 0}, due = 0;

  const clock = html('span', {class: 'eda-clock'});
  const slider = html('input', {type: 'range', min: 0, class: 'eda-slider', 'aria-label': 'Time of both runs', oninput: () => {
    stop();
    goto(Number(slider.value));
  }});
  const bands = svg('svg', {class: 'eda-ticks eda-whole', 'aria-hidden': 'true', preserveAspectRatio: 'none', viewBox: '0 0 1000 10'});
  const button = (name, label, act) => html('button', {type: 'button', 'aria-label': label, title: label, onclick: act}, icon(name));
  const toStart = button('first', 'To the start (Home)', () => { stop(); goto(0); });
  const back = button('back', 'Back to what happened before (left arrow)', () => move(-1));
  const play = html('button', {type: 'button', class: 'eda-play', onclick: () => (playing ? stop() : start())});
  const on = button('on', 'On to what happens next (right arrow)', () => move(1));
  const toEnd = button('last', 'To the end (End)', () => { stop(); goto(end); });
  const paces = html('select', {}, ...PACES.map(([value, label]) => html('option', {value}, label)));
  const live = html('p', {class: 'eda-hidden', role: 'status'});
  const tools = html('div', {class: 'eda-tools'},
    html('div', {class: 'eda-buttons', role: 'group', 'aria-label': 'Player of both runs'}, toStart, back, play, on, toEnd),
    html('label', {}, html('span', {}, 'Pace'), paces), clock);
  const element = html('div', {class: 'eda-duet'}, html('div', {class: 'eda-sides'}, ...sides.map(side => side.element)),
    html('div', {class: 'eda-line-of-time'}, bands, slider), tools, live);
  paces.value = PACES[1][0];

  const inside = at => at >= span[0] && (at <= span[1] || span[1] >= end);

  function fitSides() {
    const [one, other] = sides.map(side => side.element);
    sides.forEach(side => side.fit(one.offsetTop === other.offsetTop));
  }

  function draw(tell = true) {
    const said = sides.map(side => side.draw(time));
    const told = time >= 10_000 ? `${(time / 1_000).toFixed(3)} s` : `${time.toLocaleString('en', {minimumFractionDigits: 1, maximumFractionDigits: 1})} ms`;
    clock.textContent = told;
    slider.value = time;
    slider.setAttribute('aria-valuetext', told);
    toStart.disabled = back.disabled = time <= 0;
    on.disabled = toEnd.disabled = time >= end;
    if (tell && !playing) live.textContent = said.map((text, at) => (text ? `${names[at]}: ${text}` : '')).join(' ');
  }

  // The browser holds a part of both runs; another part is asked for when the clock has come to rest outside of it.
  function fetchPart() {
    if (inside(time) || asked === time) return;
    clearTimeout(asking);
    asking = setTimeout(() => {
      asked = time;
      element.setAttribute('aria-busy', 'true');
      onOutside(time);
    }, playing ? 0 : SETTLE);
  }

  function goto(next, tell = true) {
    time = Math.max(0, Math.min(end, next));
    if (inside(time)) draw(tell);
    else {
      slider.value = time;
      clock.textContent = `${time.toFixed(0)} ms …`;
      fetchPart();
    }
    if (tell) onTime(time, playing);
  }

  function move(by) {
    stop();
    const at = countUpTo(events, time);
    const before = events[at - 1] === time ? at - 2 : at - 1;
    const next = by > 0 ? events[at] : events[before];
    goto(next ?? (by > 0 ? (span[1] < end ? span[1] : end) : Math.max(0, span[0] - 1)));
  }

  function tick(now) {
    const spent = Math.min(now - last, 100);
    last = now;
    frame = requestAnimationFrame(tick);
    // The next part of the runs is on its way.
    if (!inside(time)) return;
    const next = events[countUpTo(events, time)] ?? end;
    if (next !== ahead.to) ahead = {from: time, to: next};
    // Where nothing happens in either run for long, nobody waits: the clock of both goes faster.
    const pace = Math.max(Number(paces.value), (ahead.to - ahead.from) / LONGEST_WAIT);
    due += spent * pace;
    const wanted = Math.min(time + due, Math.max(next, time + spent * Number(paces.value)));
    // Who wants little motion sees every event, but nothing on its way.
    if (still.matches && wanted < next) return;
    due = 0;
    goto(wanted);
    if (time >= end) stop();
  }

  function start() {
    if (time >= end) goto(0);
    playing = true;
    due = 0;
    last = performance.now();
    showPlaying();
    frame = requestAnimationFrame(tick);
  }

  function stop() {
    if (!playing) return;
    playing = false;
    cancelAnimationFrame(frame);
    showPlaying();
    onTime(time, false);
  }

  function showPlaying() {
    play.replaceChildren(icon(playing ? 'pause' : 'play'), html('span', {}, playing ? 'Pause' : 'Play'));
    play.setAttribute('title', playing ? 'Pause (space)' : 'Play (space)');
  }

  const KEYS = {ArrowRight: () => move(1), ArrowLeft: () => move(-1), Home: () => { stop(); goto(0); }, End: () => { stop(); goto(end); }};

  element.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('select')) return;
    let act = KEYS[event.key];
    if (event.key === ' ' && !event.target.matches('button')) act = () => (playing ? stop() : start());
    if (!act) return;
    event.preventDefault();
    act();
  });
  showPlaying();

  return {
    element,
    get time() { return time; },
    // The whole runs: how long they are, what is counted, when something was down.
    setup({end: whole, tallies, downs}) {
      end = whole;
      slider.max = end;
      slider.step = end / 2_000;
      sides.forEach((side, at) => side.count(tallies[at]));
      bands.replaceChildren(...downs.map(down => svg('rect', {
        x: down.from / end * 1_000, width: Math.max(2, (down.to - down.from) / end * 1_000), y: 2, height: 8, class: 'eda-band',
      }, svg('title', {}, down.told))));
      time = Math.min(time, end);
    },
    show(replay) {
      element.removeAttribute('aria-busy');
      asked = null;
      span = [replay.from, replay.to];
      sides.forEach((side, at) => side.show(replay.sides[at]));
      events = [...new Set(sides.flatMap(side => side.loud))].filter(at => at <= span[1]).sort((a, b) => a - b);
      fitSides();
      if (inside(time)) draw(false);
      else fetchPart();
    },
    goto: next => { stop(); goto(next, false); },
    fit() {
      fitSides();
      if (inside(time)) draw(false);
    },
    destroy() {
      clearTimeout(asking);
      cancelAnimationFrame(frame);
      playing = false;
    },
  };
}
