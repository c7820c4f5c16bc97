// How an exercise was judged. Draws `view` once; the buttons show a trial's run. Uses html, shape and mount of simulator.views.

function render({model, el}) {
  const {title, headline, solved, advice, trials} = model.get('view');
  const place = html('div', {class: 'edl-run'});
  const caption = html('p', {class: 'edl-caption'});
  let player = null;

  const buttons = trials.map((trial, at) => trial.replay && html('button', {
    type: 'button', title: trial.told, 'aria-label': `Show the run: ${trial.name}`, onclick: () => { model.set('shown', at); model.save_changes(); },
  }, trial.holds ? 'Show' : `Show step ${trial.at}`));
  const rows = trials.map((trial, at) => html('li', {class: trial.holds ? 'is-right' : 'is-wrong'},
    shape(trial.holds ? 'done' : 'lost'),
    html('div', {},
      html('span', {class: 'edl-trial'}, trial.name), html('span', {class: 'eda-hidden'}, trial.holds ? ': holds. ' : ': fails. '),
      ...(trial.complaint ? [html('span', {class: 'edl-complaint'}, trial.complaint)] : [])),
    ...(buttons[at] ? [buttons[at]] : [])));

  const root = html('section', {class: 'eda edl-quiz edl-judged', 'aria-label': `Exercise: ${title}`},
    html('h3', {class: 'edl-title'}, `Exercise: ${title}`),
    html('p', {class: `edl-status ${solved ? '' : 'is-complaint'}`, role: 'status'}, headline),
    html('ul', {class: 'edl-trials'}, ...rows),
    ...(advice ? [html('p', {class: 'edl-why'}, html('strong', {}, solved ? 'Why it works: ' : 'Hint: '), advice)] : []),
    caption, place);
  el.append(root);

  function show() {
    const at = model.get('shown'), trial = trials[at];
    buttons.forEach((button, number) => button?.setAttribute('aria-pressed', number === at));
    caption.hidden = place.hidden = !trial?.replay;
    if (!trial?.replay) return;
    caption.textContent = `The run of “${trial.name}”:`;
    if (player) player.show(trial.replay, trial.at);
    else player = mount(place, trial.replay, {initial: trial.at});
  }

  model.on('change:shown', show);
  show();
  return () => {
    model.off('change:shown', show);
    player?.destroy();
    root.remove();
  };
}

export default {render};
