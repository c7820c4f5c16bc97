// Charts of a run, drawn as SVG at the width they have. Uses html, svg.
// Each `create…Chart` gives {element, show(model), fit()}; a chart keeps its height, and its scale while the data fit it.

const CHART = {height: 218, left: 46, right: 14, top: 22, bottom: 34};
const DASHES = ['', '7 4', '8 3 2 3', '2 3', '12 3', '4 2'];

const round = (number, digits = 0) => number.toLocaleString('en', {maximumFractionDigits: digits});
const shortMs = time => `${round(time, time < 10 ? 1 : 0)} ms`;

// The smallest 1, 2, 2.5 or 5 times a power of ten that makes at most `most` parts of a length.
function niceStep(length, most) {
  const power = 10 ** Math.floor(Math.log10(length / most || 1));
  return power * ([1, 2, 2.5, 5, 10].find(digit => digit * power * most >= length * (1 - 1e-9)) ?? 10);
}

function ticksTo(top, most) {
  const step = niceStep(top, most), ticks = [];
  for (let at = 0; at <= top * (1 + 1e-9); at += step) ticks.push(at);
  return ticks;
}

// A scale's end that stays where it is while the data neither leave it nor shrink far below it.
function createScale() {
  let top = 0;
  return {
    fit(most) {
      if (most > top || most < top * 0.4) {
        const step = niceStep(most * 1.08 || 1, 4);
        top = Math.max(step, Math.ceil(most * 1.08 / step - 1e-9) * step);
      }
      return top;
    },
  };
}

function createFrame(title, hint) {
  const picture = svg('svg', {class: 'eda-chart', role: 'img', height: CHART.height});
  const legend = html('ul', {class: 'eda-keys'});
  const heading = html('figcaption', {}, html('strong', {}, title), hint ? html('span', {class: 'eda-hint'}, hint) : '');
  const element = html('figure', {class: 'eda-figure'}, heading, picture, legend);
  let width = 0, draw = () => {};
  return {
    element, picture, legend, heading,
    get width() { return width; },
    // Nothing is drawn while a chart is out of sight; only `fit` asks for its width, which costs a layout of the page.
    drawn(next) { draw = next; if (width) draw(); },
    fit() {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      if (width) draw();
    },
  };
}

function axes(width, across, up, {xTicks, yTicks, xLabel, yLabel, xTold = round, yTold = round}) {
  const {height, left, right, top, bottom} = CHART;
  const x = value => left + value / across * (width - left - right);
  const y = value => height - bottom - value / up * (height - top - bottom);
  const grid = yTicks.map(tick => svg('path', {d: `M${left},${y(tick)}H${width - right}`, class: tick ? 'eda-gridline' : 'eda-axis'}));
  const named = [
    ...yTicks.map(tick => svg('text', {x: left - 6, y: y(tick) + 4, 'text-anchor': 'end'}, yTold(tick))),
    ...xTicks.map(tick => svg('text', {x: x(tick), y: height - bottom + 15, 'text-anchor': 'middle'}, xTold(tick))),
    svg('text', {x: width - right, y: height - 4, 'text-anchor': 'end', class: 'eda-muted'}, xLabel),
    svg('text', {x: 4, y: 11, class: 'eda-muted'}, yLabel),
  ];
  return {x, y, grid, named};
}

const pathOf = (points, x, y, step = false) => {
  let path = '';
  for (let at = 0; at < points.length; at += 2) {
    const px = x(points[at]).toFixed(1), py = y(points[at + 1]).toFixed(1);
    path += !at ? `M${px},${py}` : step ? `H${px}V${py}` : `L${px},${py}`;
  }
  return path;
};

const sample = at => {
  const line = svg('path', {d: 'M0,5H26', class: 'eda-series', 'stroke-dasharray': DASHES[at % DASHES.length]});
  line.style.setProperty('--series', `var(--eda-series-${at % DASHES.length})`);
  return svg('svg', {width: 26, height: 10, 'aria-hidden': 'true'}, line);
};

const keys = names => names.map((name, at) => html('li', {}, sample(at), name));

// How long it took: for each time, the share that was answered within it. Lines are {name, p50, p99, count, points}.
function createLatencyChart(title = 'How long customers waited') {
  const frame = createFrame(title, 'the share answered within a time');
  const scale = createScale();
  let lines = [];
  function draw() {
    const {width, picture} = frame;
    const most = Math.max(...lines.map(line => line.points.at(-2) ?? 0), 1);
    const top = scale.fit(most);
    const {x, y, grid, named} = axes(width, top, 100, {
      xTicks: ticksTo(top, width > 420 ? 6 : 4), yTicks: [0, 25, 50, 75, 100], xLabel: 'answered within (ms)', yLabel: '% of those answered',
      xTold: tick => round(tick, 2),
    });
    const drawn = [];
    [...lines.entries()].reverse().forEach(([at, line]) => {
      if (!line.points.length) return;
      const whole = [0, 0, line.points[0], 0, ...line.points, top, 100];
      const path = svg('path', {d: pathOf(whole, x, y, true), class: 'eda-series', 'stroke-dasharray': DASHES[at]});
      path.style.setProperty('--series', `var(--eda-series-${at})`);
      drawn.push(path);
      for (const [name, value, share, mark] of [['p50', line.p50, 50, 'circle'], ['p99', line.p99, 99, 'rect']]) {
        const px = x(value), py = y(share);
        const dot = mark === 'circle' ? svg('circle', {cx: px, cy: py, r: 4.5, class: 'eda-dot'})
          : svg('rect', {x: px - 4, y: py - 4, width: 8, height: 8, class: 'eda-dot'});
        dot.style.setProperty('--series', `var(--eda-series-${at})`);
        dot.append(svg('title', {}, `${line.name}: ${name} is ${shortMs(value)}`));
        drawn.push(dot);
      }
    });
    picture.setAttribute('viewBox', `0 0 ${width} ${CHART.height}`);
    picture.setAttribute('aria-label', lines.map(line => (line.count
      ? `${line.name}: half were answered within ${shortMs(line.p50)}, 99 of 100 within ${shortMs(line.p99)}`
      : `${line.name}: nobody was answered`)).join('. ') + '.');
    picture.replaceChildren(...grid, ...drawn, ...named);
  }
  return {
    element: frame.element, fit: frame.fit,
    show(next) {
      lines = next;
      frame.legend.replaceChildren(...lines.map((line, at) => html('li', {}, sample(at), html('span', {}, line.name),
        html('span', {class: 'eda-marks'}, ...(line.count
          ? [html('span', {}, `○ p50 ${shortMs(line.p50)}`), html('span', {}, `□ p99 ${shortMs(line.p99)}`)] : ['no answers'])))));
      frame.drawn(draw);
    },
  };
}

// Something over the time of the run. `show({lines, unit, end, downs, least})`: `downs` are when nodes did nothing, and the scale
// reaches at least to `least`.
function createTimeChart(title, hint) {
  const frame = createFrame(title, hint);
  const scale = createScale();
  let model = {lines: [], end: 1, unit: '', downs: []};
  function draw() {
    const {width, picture} = frame;
    const {lines, end, unit, downs, least = 1} = model;
    let most = least;
    for (const {points} of lines) for (let at = 1; at < points.length; at += 2) most = Math.max(most, points[at]);
    const top = scale.fit(most), seconds = end >= 2_000;
    const {x, y, grid, named} = axes(width, end, top, {
      xTicks: ticksTo(end, width > 420 ? 6 : 4), yTicks: ticksTo(top, 4), xLabel: seconds ? 'time (s)' : 'time (ms)', yLabel: unit,
      xTold: tick => round(seconds ? tick / 1_000 : tick, 1), yTold: tick => round(tick, 1),
    });
    const bands = downs.map(down => svg('g', {}, svg('rect', {
      x: x(down.from), y: CHART.top, width: Math.max(2, x(down.to) - x(down.from)), height: CHART.height - CHART.top - CHART.bottom,
      class: 'eda-band',
    }), svg('text', {x: x(down.from) + 4, y: CHART.top + 12, class: 'eda-muted'}, down.told)));
    const drawn = lines.map(({points}, at) => {
      const path = svg('path', {d: pathOf(points, x, y), class: 'eda-series', 'stroke-dasharray': DASHES[at % DASHES.length]});
      path.style.setProperty('--series', `var(--eda-series-${at % DASHES.length})`);
      return path;
    }).reverse();
    picture.setAttribute('viewBox', `0 0 ${width} ${CHART.height}`);
    picture.setAttribute('aria-label', `${title}. ` + (lines.map(({name, points}) => {
      let high = 0, when = 0;
      for (let at = 1; at < points.length; at += 2) if (points[at] > high) [high, when] = [points[at], points[at - 1]];
      return `${name}: at most ${round(high, 1)} ${unit}, at ${round(when)} ms`;
    }).join('. ') || 'Nothing to show') + '.');
    picture.replaceChildren(...bands, ...grid, ...drawn, ...named);
  }
  return {
    element: frame.element, fit: frame.fit,
    show(next) {
      model = next;
      const names = next.lines.map(line => line.name).join('\n');
      if (names !== frame.legend.dataset.names) {
        frame.legend.dataset.names = names;
        frame.legend.replaceChildren(...keys(next.lines.map(line => line.name)));
      }
      frame.drawn(draw);
    },
  };
}
