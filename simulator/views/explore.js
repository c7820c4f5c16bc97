// Explore a scenario: controls above, what came of the run below. Uses html, mount, and the files of this folder before it.

function render({model, el}) {
  const setup = model.get('setup');
  const root = html('section', {class: 'eda eda-lab', 'aria-label': `Explore: ${setup.title}`, 'data-lm-suppress-shortcuts': 'true'});
  keepKeys(root);
  const status = createStatus();
  const asker = createAsker(model, root, status.say);
  const controls = createControls(setup.controls, values => asker.ask({values: {...model.get('shown').values, ...values}}));
  const verdicts = createVerdicts(index => { jump(index); });
  const table = createTable('What came of the run', ['measure', setup.names[0], setup.names[1], 'Δ', '']);
  const latency = createLatencyChart();
  const waiting = createTimeChart('How much was waiting');
  const throughput = createTimeChart('How much got done');
  const code = createCode();

  const keep = html('button', {type: 'button', title: 'From now on, every run is compared with this one', onclick: () => {
    const {values, seed} = model.get('shown');
    asker.ask({was: {values, seed}});
  }}, 'Compare with this run');
  const stage = html('div', {class: 'eda-place'});
  const note = html('p', {class: 'eda-note'});
  const panels = {
    outcome: html('div', {class: 'eda-panel'}, table.element),
    charts: html('div', {class: 'eda-panel eda-charts'}, latency.element, waiting.element, throughput.element),
    replay: html('div', {class: 'eda-panel eda-stageboard'}, note, stage),
  };
  const tabs = createTabs('Views of the run', [
    {name: 'outcome', label: 'Outcome', panel: panels.outcome},
    {name: 'charts', label: 'Charts', panel: panels.charts},
    {name: 'replay', label: 'Replay', panel: panels.replay},
  ], name => {
    fit();
    want({replay: name === 'replay', of: model.get('shown').number});
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
    controls.element, verdicts.element,
    html('div', {class: 'eda-middle'}, tabs.list, status.element),
    ...tabs.panels,
    html('footer', {}, html('div', {class: 'eda-actions'}, reset, seed, keep), code.element));
  el.append(root);

  // The replay comes only where it is looked at; its data are asked for with the step to begin at.
  let player = null, wish = null;
  const teller = stepTeller(model);

  function want(change) {
    model.set('wanted', {...model.get('wanted'), at: null, ...change});
    model.save_changes();
  }

  function jump(index) {
    wish = index;
    tabs.show('replay');
    if (!goThere()) want({replay: true, at: index});
    stage.scrollIntoView({block: 'nearest'});
  }

  // Whether the step that was wished for is in the replay that is here.
  function goThere() {
    const {of, data} = model.get('replay');
    if (wish === null || !player || of !== model.get('shown').number || wish < data.first || wish >= data.first + data.time.length) {
      return false;
    }
    player.goto(wish);
    model.set('step', wish);
    model.save_changes();
    wish = null;
    return true;
  }

  function drawReplay() {
    const {data, note: said} = model.get('replay');
    note.textContent = said ?? 'The run is being made ready to replay …';
    note.hidden = said === '';
    if (!data) return;
    const step = Math.max(data.first - 1, Math.min(model.get('step'), data.first + data.time.length - 1));
    if (player) player.show(data, step);
    else player = mount(stage, data, {initial: step, onStep: teller.tell});
    goThere();
  }

  function drawShown() {
    const shown = model.get('shown');
    asker.heard();
    if (asker.settled) {
      controls.show(shown.values);
      // While a slider still moves, nobody needs a replay of where it was.
      if (tabs.current === 'replay' && model.get('replay').of !== shown.number) want({replay: true, of: shown.number});
    }
    code.show(shown.code);
    const {latency: now, was, end, downs, waiting: queue, throughput: rates} = shown.charts;
    latency.show([{name: 'now', ...now}, {name: setup.names[0], ...was}]);
    waiting.show({...queue, end, downs});
    throughput.show({...rates, end, downs});
    table.show(shown.table);
    keep.disabled = shown.same;
    if (shown.complaint) status.say(shown.complaint, true);
    else status.say(shown.summary, false, verdicts.told);
  }

  function drawVerdicts() {
    verdicts.show(model.get('shown').verdicts ?? []);
  }

  function fit() {
    latency.fit();
    waiting.fit();
    throughput.fit();
  }

  const follow = () => { if (player && model.get('step') !== player.step) player.goto(model.get('step')); };
  const onShown = () => { drawVerdicts(); drawShown(); };
  const watch = new ResizeObserver(fit);
  watch.observe(root);
  const releases = [verdicts.element, panels.outcome, stage].map(holdHeight);
  model.on('change:shown', onShown);
  model.on('change:replay', drawReplay);
  model.on('change:step', follow);
  tabs.show(setup.tab);
  onShown();
  drawReplay();
  return () => {
    watch.disconnect();
    releases.forEach(release => release());
    asker.destroy();
    teller.stop();
    status.destroy();
    player?.destroy();
    model.off('change:shown', onShown);
    model.off('change:replay', drawReplay);
    model.off('change:step', follow);
    root.remove();
  };
}

export default {render};
