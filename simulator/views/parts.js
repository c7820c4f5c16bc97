// The small parts that widgets are made of: elements, icons, shapes, times. Uses LOOKS, svg, wear.

const ICONS = {
  first: 'M5 4h2v12H5zM16 4v12L8 10z', back: 'M14 4v12L6 10z', play: 'M5 3v14l12-7z', pause: 'M5 4h4v12H5zM11 4h4v12h-4z',
  on: 'M6 4v12l8-6z', last: 'M4 4v12l8-6zM13 4h2v12h-2z', because: 'M9 3h2v9h4l-5 5-5-5h4z',
};

const html = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const key in attributes) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), attributes[key]);
    else if (attributes[key] !== undefined) element.setAttribute(key, attributes[key]);
  }
  element.append(...children.filter(child => child !== null));
  return element;
};

const icon = name => svg('svg', {viewBox: '0 0 20 20', 'aria-hidden': 'true', class: 'eda-icon'}, svg('path', {d: ICONS[name]}));

const shape = look => {
  const path = svg('path', {d: LOOKS[look].path});
  const element = svg('svg', {viewBox: '-1.1 -1.1 2.2 2.2', 'aria-hidden': 'true', class: 'eda-shape'}, path);
  wear(element, look);
  return element;
};

const ms = time => `${time.toLocaleString('en', {minimumFractionDigits: 1, maximumFractionDigits: 1})} ms`;

const ignore = () => {};
