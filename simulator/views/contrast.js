// Contrast two designs: what both share above, one table, two pictures on one clock. Uses html and the files before it.

function render({model, el}) {
  const setup = model.get('setup');
  const root = html('section', {class: 'eda eda-lab', 'aria-label': `Contrast: ${setup.names.join(' and ')}`, 'data-lm-suppress-shortcuts': 'true'});
  keepKeys(root);
  const status = createStatus();
  const asker = createAsker(model, root, status.say);
  const controls = createControls(setup.controls, values => asker.ask({values: {...model.get('shown').values, ...values}}));
  const table = createTable('What came of the two runs', ['measure', ...setup.names, 'better']);
  const latency = createLatencyChart('How long customers waited');
  const waiting = setup.names.map(name => createTimeChart(`What waits: ${name}`));
  const code = createCode();
  let telling = 0;

  function want(change) {
    model.set('wanted', {...model.get('wanted'), ...change});
    model.save_changes();
  }

  const duet = createDuet({
    names: setup.names,
    onTime(time, playing) {
      model.set('clock', time);
      clearTimeout(telling);
      telling = setTimeout(() => model.save_changes(), playing ? 100 : 30);
    },
    onOutside: at => want({replay: true, at}),
  });
  const panels = {
    outcome: html('div', {class: 'eda-panel'}, table.element),
    charts: html('div', {class: 'eda-panel eda-charts'}, latency.element, ...waiting.map(chart => chart.element)),
    replay: html('div', {class: 'eda-panel'}, duet.element),
  };
  const tabs = createTabs('Views of the two runs', [
    {name: 'outcome', label: 'Outcome', panel: panels.outcome},
    {name: 'charts', label: 'Charts', panel: panels.charts},
    {name: 'replay', label: 'Side by side', panel: panels.replay},
  ], name => {
    fit();
    want({replay: name === 'replay', of: model.get('shown').number, at: duet.time});
  });
  const reset = html('button', {type: 'button', onclick: () => {
    const {values, seed} = setup.start;
    asker.ask({values, seed, was: {values, seed}});
  }}, 'Reset this lesson');
  const seed = html('button', {type: 'button', title: 'The same scenario with other chances', onclick: () => {
    const asked = asker.settled ? model.get('shown') : model.get('asked');
    asker.ask({seed: asked.seed + 1});
  }}, 'Another seed');

  root.append(
    html('header', {}, html('h3', {}, setup.title), setup.summary ? html('p', {}, setup.summary) : ''),
    ...(setup.controls.length ? [controls.element] : []),
    html('div', {class: 'eda-middle'}, tabs.list, status.element),
    ...tabs.panels,
    ...(setup.changes ? [html('footer', {}, html('div', {class: 'eda-actions'}, reset, seed), code.element)] : []));
  el.append(root);

  function drawShown() {
    const shown = model.get('shown');
    asker.heard();
    if (asker.settled) {
      controls.show(shown.values);
      if (tabs.current === 'replay' && model.get('replay').of !== shown.number) want({replay: true, of: shown.number, at: duet.time});
    }
    code.show(shown.code);
    table.show(shown.table);
    latency.show(shown.charts.map((line, at) => ({name: setup.names[at], ...line})));
    // One scale for both, or the eye would compare what can't be compared.
    const least = Math.max(1, ...shown.waiting.flatMap(chart => chart.lines.flatMap(line => line.points.filter((_, at) => at % 2))));
    waiting.forEach((chart, at) => chart.show({...shown.waiting[at], least}));
    duet.setup(shown);
    if (shown.complaint) status.say(shown.complaint, true);
    else status.say(shown.summary);
  }

  function drawReplay() {
    const replay = model.get('replay');
    if (replay.sides) duet.show(replay);
  }

  function fit() {
    latency.fit();
    waiting.forEach(chart => chart.fit());
    duet.fit();
  }

  const follow = () => { if (Math.abs(model.get('clock') - duet.time) > 1e-6) duet.goto(model.get('clock')); };
  const watch = new ResizeObserver(fit);
  watch.observe(root);
  const releases = [panels.outcome, duet.element].map(holdHeight);
  model.on('change:shown', drawShown);
  model.on('change:replay', drawReplay);
  model.on('change:clock', follow);
  drawShown();
  tabs.show(setup.tab);
  drawReplay();
  duet.goto(model.get('clock'));
  return () => {
    watch.disconnect();
    releases.forEach(release => release());
    clearTimeout(telling);
    asker.destroy();
    status.destroy();
    duet.destroy();
    model.off('change:shown', drawShown);
    model.off('change:replay', drawReplay);
    model.off('change:clock', follow);
    root.remove();
  };
}

export default {render};
