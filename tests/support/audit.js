// What a page owes those who can't see it well, or don't use a mouse, as far as it can be computed in the page.
// Ratios and luminance are those of WCAG 2.2.
(() => {
  const channels = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ratio = (one, two) => {
    const [high, low] = [light(one), light(two)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const line = (node) => { const found = []; for (; node; node = node.parentElement) found.unshift(node); return found; };
  const behind = (node) => line(node).reduce(
    (colour, one) => over(channels(getComputedStyle(one).backgroundColor), colour),
    matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0, 1] : [255, 255, 255, 1],
  );
  const seen = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !node.closest(".heard");
  const told = (node) => `${node.tagName.toLowerCase()}#${node.id}.${node.className.baseVal ?? node.className} ${node.textContent.trim().slice(0, 30)}`;

  /** Visible text that has less than 4.5 to 1 to what is behind it, with every opacity counted. */
  const contrast = () => {
    const low = [];
    for (const node of document.querySelectorAll("body *")) {
      const words = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
      if (!(words || node.matches("input[type=text]")) || !seen(node) || node.closest("[disabled]")) continue;
      const open = document.querySelector("dialog[open]");
      if (open && !open.contains(node)) continue;
      const style = getComputedStyle(node), ground = behind(node);
      const opacity = line(node).reduce((product, one) => product * getComputedStyle(one).opacity, 1);
      const ink = channels(node instanceof SVGElement ? style.fill : style.color);
      const found = ratio(over([...ink.slice(0, 3), ink[3] * opacity], ground), ground);
      if (found < 4.5) low.push(`${told(node)}: ${found.toFixed(2)}`);
    }
    return low;
  };

  /** What has the focus, how wide the ring around it is and how well it is seen, and whether it is in sight. */
  const focus = () => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    const ground = behind(parseFloat(style.outlineOffset) < 0 ? one : one.parentElement);
    return {
      what: one.id || one.dataset.choice || one.value || one.textContent.trim(),
      ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
      ratio: ratio(channels(style.outlineColor), ground),
      inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      covered: !one.contains(document.elementFromPoint(box.left + box.width / 2, Math.min(innerHeight - 1, box.top + Math.min(box.height, 40) / 2))),
    };
  };

  /** What is wrong with language, title, landmarks, headings, references, order, and the size of what is pressed. */
  const structure = () => {
    const wrong = [];
    const all = (where) => [...document.querySelectorAll(where)];
    if (!document.documentElement.lang) wrong.push("no language");
    if (!document.title.trim()) wrong.push("no title");
    if (!/width=device-width/.test(document.querySelector("meta[name=viewport]")?.content ?? "")) wrong.push("no viewport");
    if (/user-scalable=no|maximum-scale/.test(document.querySelector("meta[name=viewport]")?.content)) wrong.push("no zoom");
    for (const [where, count] of [["main", 1], ["body > header", 1]]) {
      if (all(where).filter(seen).length !== count) wrong.push(`${where} is not there ${count} times`);
    }
    const headings = all("h1, h2, h3, h4, h5, h6").filter((one) => seen(one) && !one.closest("dialog"));
    const levels = headings.map((one) => Number(one.tagName[1]));
    if (levels.filter((level) => level === 1).length !== 1) wrong.push("not one h1");
    levels.forEach((level, i) => i && level > levels[i - 1] + 1 && wrong.push(`heading level skipped at ${told(headings[i])}`));
    const ids = all("[id]").map((one) => one.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id ${id} twice`);
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
      for (const one of all(`[${name}]`)) {
        for (const id of one.getAttribute(name).split(" ")) if (!ids.includes(id)) wrong.push(`${name}=${id} of nothing`);
      }
    }
    for (const one of all("[tabindex]")) if (one.tabIndex > 0) wrong.push(`order of tabs at ${told(one)}`);
    for (const one of all("img")) if (!one.hasAttribute("alt")) wrong.push("an image without words");
    for (const one of all("[onclick], [accesskey], [autofocus]")) wrong.push(`attribute of ${told(one)}`);
    for (const one of all("body *")) {
      const words = [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
      if (words && seen(one) && !one.closest("header, main, dialog, [role=alert], [role=status]")) wrong.push(`no landmark holds ${told(one)}`);
    }
    for (const one of all("button, input[type=text], summary").filter(seen)) {
      const box = one.getBoundingClientRect();
      if (Math.min(box.width, box.height) < 24) wrong.push(`${told(one)} is ${box.width} by ${box.height}`);
    }
    return wrong;
  };

  /** What sticks out of the page or out of its box, and what lies on something else. */
  const overflow = () => {
    const scrolls = (node) => line(node).some((one) => /auto|scroll/.test(getComputedStyle(one).overflowX) && one !== document.documentElement);
    const out = [];
    const root = document.documentElement;
    if (root.scrollWidth > innerWidth) out.push(`the page is ${root.scrollWidth} wide`);
    const shown = [...document.querySelectorAll("body *")].filter((one) => seen(one) && !(one instanceof SVGElement && one.tagName !== "svg"));
    for (const one of shown) {
      if (scrolls(one.parentElement)) continue;
      const box = one.getBoundingClientRect();
      if (box.width && (box.left < -0.5 || box.right > innerWidth + 0.5)) out.push(`${told(one)} from ${box.left} to ${box.right}`);
      const style = getComputedStyle(one);
      if (style.display === "inline" || /auto|scroll/.test(style.overflowX)) continue;
      if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth) out.push(`${told(one)}: ${one.scrollWidth} in ${one.clientWidth}`);
    }
    const pressed = shown.filter((one) => one.matches("button, a, summary, label, header p, h1, h2") && !one.closest(".text, dialog, .scroll"));
    for (const [i, one] of pressed.entries()) {
      const a = one.getBoundingClientRect();
      for (const two of pressed.slice(i + 1)) {
        const b = two.getBoundingClientRect();
        const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        const stuck = one.closest(".foot") === null !== (two.closest(".foot") === null);
        if (x > 1 && y > 1 && !one.contains(two) && !two.contains(one) && !stuck) out.push(`${told(one)} on ${told(two)}`);
      }
    }
    return out;
  };

  return { contrast, focus, structure, overflow };
})()
