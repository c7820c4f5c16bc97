// The widget around the player: the trace comes once, the step goes both ways. Uses mount.

const BETWEEN = 100;

function render({model, el}) {
  const root = document.createElement('div');
  el.append(root);
  let waiting = 0;

  function tell(step, playing) {
    model.set('step', step);
    // While it plays, the kernel hears now and then; at rest, at once.
    if (!playing) {
      clearTimeout(waiting);
      waiting = 0;
      model.save_changes();
    } else if (!waiting) {
      waiting = setTimeout(() => { waiting = 0; model.save_changes(); }, BETWEEN);
    }
  }

  const player = mount(root, model.get('data'), {initial: model.get('step'), onStep: tell});
  const follow = () => { if (model.get('step') !== player.step) player.goto(model.get('step')); };
  const replace = () => player.show(model.get('data'), model.get('step'));
  model.on('change:step', follow);
  model.on('change:data', replace);
  return () => {
    clearTimeout(waiting);
    model.off('change:step', follow);
    model.off('change:data', replace);
    player.destroy();
  };
}

export default {render};
