// The smallest loader of asynchronous modules: one script element for each, define() hands over its value.
const defined = new Map();
window.define = (name, make) => defined.set(name, make());
window.require = (names) => Promise.all(names.map((name) => new Promise((resolve, reject) => {
  const script = document.createElement('script');
  script.async = true;
  script.src = `/amd/${name}.js`;
  script.onload = () => resolve(defined.get(name));
  script.onerror = () => reject(new Error(name));
  document.head.append(script);
})));
