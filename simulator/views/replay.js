// The widget around the player: the trace comes once, the step goes both ways. Uses mount and stepTeller.

function render({model, el}) {
  const root = document.createElement('div');
  el.append(root);
  const teller = stepTeller(model);
  const player = mount(root, model.get('data'), {initial: model.get('step'), onStep: teller.tell});
  const follow = () => { if (model.get('step') !== player.step) player.goto(model.get('step')); };
  const replace = () => player.show(model.get('data'), model.get('step'));
  model.on('change:step', follow);
  model.on('change:data', replace);
  return () => {
    teller.stop();
    model.off('change:step', follow);
    model.off('change:data', replace);
    player.destroy();
  };
}

export default {render};
