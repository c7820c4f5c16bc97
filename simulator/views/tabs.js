// Tabs as the ARIA Authoring Practices describe them: one in the tab order, arrows, Home and End move and show. Uses html.
// `createTabs(label, [{name, label, panel}], shown)` gives {list, panels, show(name), current}; `shown(name)` is told of changes.

function createTabs(label, tabs, shown) {
  const id = `eda-tabs-${uniqueNumber()}`;
  let current = '';
  const buttons = tabs.map(tab => html('button', {
    type: 'button', role: 'tab', id: `${id}-${tab.name}`, 'aria-controls': `${id}-${tab.name}-panel`, 'data-tab': tab.name,
    onclick: () => show(tab.name, true),
  }, tab.label));
  tabs.forEach(({name, panel}) => {
    panel.id = `${id}-${name}-panel`;
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', `${id}-${name}`);
  });
  const list = html('div', {role: 'tablist', 'aria-label': label, class: 'eda-tabs', onkeydown: event => {
    const at = tabs.findIndex(tab => tab.name === current);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    show(tabs[next].name, true);
    buttons[next].focus();
  }}, ...buttons);

  function show(name, byPerson = false) {
    if (name === current) return;
    current = name;
    tabs.forEach((tab, at) => {
      const on = tab.name === name;
      tab.panel.hidden = !on;
      buttons[at].setAttribute('aria-selected', on);
      buttons[at].tabIndex = on ? 0 : -1;
    });
    shown(name, byPerson);
  }

  return {list, panels: tabs.map(tab => tab.panel), show, get current() { return current; }};
}
