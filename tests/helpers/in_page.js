/*
 * What tests run inside the browser's page. Plain JavaScript, as the page's own is: the names of a browser are not known where
 * the rest of the tests are checked. Each function is sent as its text, so that it can use nothing from around it.
 */

/** What is too faint (tests/helpers/contrast.ts), and how many things were looked at. */
export function contrasts() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  /** Whatever way a colour is written, the browser itself knows what it is. */
  const parse = (text) => {
    let colour = known.get(text);
    if (colour === undefined) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = text;
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
      colour = [red, green, blue, alpha / 255];
      known.set(text, colour);
    }
    return colour;
  };
  const over = (top, below) => [
    top[0] * top[3] + below[0] * (1 - top[3]),
    top[1] * top[3] + below[1] * (1 - top[3]),
    top[2] * top[3] + below[2] * (1 - top[3]),
    1,
  ];
  const behind = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const luminance = ([red, green, blue]) => {
    const part = (value) => {
      const scaled = value / 255;
      return scaled <= 0.04045 ? scaled / 12.92 : ((scaled + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isSeen = (element) =>
    element.checkVisibility({ visibilityProperty: true }) &&
    element.getBoundingClientRect().width > 1;
  const low = [];
  let seen = 0;
  const look = (what, colour, ground, wanted) => {
    seen++;
    const found = ratio(over(colour, ground), ground);
    if (found < wanted) low.push({ what, ratio: Math.round(found * 100) / 100, wanted });
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (text === "" || !isSeen(element)) continue;
    const style = getComputedStyle(element);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    look(`"${text.slice(0, 40)}"`, parse(style.color), behind(element), isLarge ? 3 : 4.5);
  }
  for (const element of document.querySelectorAll(".icon, input[type=search], select, .bar")) {
    if (!isSeen(element)) continue;
    const style = getComputedStyle(element);
    const name = `${element.tagName} ${element.parentElement.className}`;
    if (element.matches(".icon")) look(name, parse(style.fill), behind(element), 3);
    else if (!element.matches(".bar")) {
      look(name, parse(style.borderTopColor), behind(element.parentElement), 3);
    }
  }
  return { seen, low };
}

/** Elements that our own pages do not make, foreign links, and marks of a script that has run. */
export function foreign() {
  const ours =
    "script[src^='/assets/'], link[href^='/assets/'], img[src='/assets/favicon.svg'], svg.icon";
  const made = "script, img, iframe, object, embed, link, style, base, svg";
  const found = [...document.querySelectorAll(made)].filter((one) => !one.matches(ours)).map((
    one,
  ) => one.outerHTML);
  const handlers = [...document.querySelectorAll("*")].flatMap((one) =>
    one.getAttributeNames().filter((name) => name.startsWith("on"))
  );
  const links = [...document.querySelectorAll("a")].map((one) => one.href)
    .filter((href) => href !== "" && !href.startsWith(`${location.origin}/`));
  const ran = "hacked" in globalThis ? ["a script has run"] : [];
  return [...found, ...handlers, ...links, ...ran];
}

/** What can be operated or is a picture, and has no name. */
export function unnamed() {
  const named = "button, a, input, select, [role=img], [role=progressbar], [role=meter]";
  return [...document.querySelectorAll(named)].filter((one) => {
    if (!one.checkVisibility()) return false;
    const label = one.id === ""
      ? null
      : document.querySelector(`label[for="${CSS.escape(one.id)}"]`);
    const words = one.getAttribute("aria-label") ?? label?.textContent ??
      one.closest("label")?.textContent ??
      one.textContent;
    return (words ?? "").trim() === "";
  }).map((one) => one.outerHTML);
}

/** The name of what has the focus. */
export function focusedName() {
  const one = document.activeElement;
  const label = one?.id ? document.querySelector(`label[for="${CSS.escape(one.id)}"]`) : null;
  return one?.getAttribute("aria-label") ?? label?.textContent ?? one?.textContent?.trim() ?? "";
}

/** Levels of the headings that are seen, in order. */
export function headingLevels() {
  return [...document.querySelectorAll("main :is(h1, h2, h3)")].filter((one) =>
    one.checkVisibility()
  )
    .map((one) => Number(one.tagName[1]));
}

/** What an element is that has the focus. */
export function focusedElement() {
  const one = document.activeElement;
  return { id: one.id, tag: one.tagName, outline: getComputedStyle(one).outlineStyle };
}

/** Marks the first card, selects its heading, scrolls; returns how far. */
export function mark() {
  document.querySelector("article").setAttribute("data-same", "");
  getSelection().selectAllChildren(document.querySelector("article h3"));
  scrollTo(0, 200);
  return scrollY;
}

/** What has become of it. */
export function marked() {
  return {
    same: document.querySelector("article").hasAttribute("data-same"),
    selected: String(getSelection()),
    scroll: scrollY,
    focus: document.activeElement?.getAttribute("aria-label"),
  };
}

/** How wide the page is, how wide the window, and what is too small to be touched. */
export function widths() {
  const small = [...document.querySelectorAll("button, nav a, .button")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.height < 24 || box.width < 24);
  });
  return {
    wide: document.documentElement.scrollWidth,
    width: innerWidth,
    small: small.map((one) => one.textContent),
  };
}

/** The page's own colour. */
export function ground() {
  return getComputedStyle(document.body).backgroundColor;
}

/** Opacity of the main part. */
export function opacity() {
  return Number(getComputedStyle(document.querySelector("main")).opacity);
}

/** Makes the page believe that it is hidden, or seen again. */
export function hide(value) {
  Object.defineProperty(document, "hidden", { value, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** How far the log is from its end, px; scrolls to a place where one is given. */
export function logScroll(to) {
  const list = document.querySelector(".log");
  if (to !== null) list.scrollTop = to;
  return list.scrollHeight - list.scrollTop - list.clientHeight;
}

/** Tells of what the Content-Security-Policy has stopped. */
export function tellViolations() {
  addEventListener("securitypolicyviolation", (event) => {
    // deno-lint-ignore no-console -- the one way out of a page
    console.error(`stopped by policy: ${event.violatedDirective} ${event.blockedURI}`);
  });
}

/** Notes when the page's first heading first says something like this. */
export function noteWhen(words) {
  const pattern = new RegExp(words);
  globalThis.notedAt = new Promise((resolve) => {
    const look = () => {
      if (pattern.test(document.querySelector("h1")?.textContent ?? "")) resolve(Date.now());
    };
    new MutationObserver(look).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
    });
    look();
  });
}

/** When that was, ms since 1970. */
export function noted() {
  return globalThis.notedAt;
}

/** Closes the drawer and goes elsewhere before the page has heard of it. */
export function closeAndGo(hash) {
  document.querySelector("dialog").close();
  location.hash = hash;
}
