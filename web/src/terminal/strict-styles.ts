/**
 * Lets xterm.js run under `style-src 'self'`. It writes `<style>` elements and `style` attributes,
 * which such a policy forbids, where style sheets and declarations made by script would do: here
 * they become just that.
 */

/** Puts the text of a `<style>` element into a style sheet of the document instead. */
function adopt(style: HTMLStyleElement, document: Document): void {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  Object.defineProperty(style, 'textContent', {
    set: (text: string) => sheet.replaceSync(text),
  });
  style.remove = () => {
    const index = document.adoptedStyleSheets.indexOf(sheet);
    if (index >= 0) document.adoptedStyleSheets.splice(index, 1);
  };
}

function createElement(document: Document, tag: string): HTMLElement {
  const element = document.createElement(tag);
  if (tag !== 'div') return element;
  // A style element is put into its parent before it is given its text. It stays outside: even an
  // empty one in the document is a violation.
  element.appendChild = <T extends Node>(child: T): T => {
    if (child instanceof HTMLStyleElement) adopt(child, document);
    else Node.prototype.appendChild.call(element, child);
    return child;
  };
  return element;
}

/**
 * The document to give to xterm.js as `documentOverride`: style elements that are put into its
 * elements become style sheets.
 * @param document the one in which the terminal is opened
 */
export function strictDocument(document: Document): Document {
  return new Proxy(document, {
    get(target, name) {
      if (name === 'createElement') return (tag: string) => createElement(target, tag);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/**
 * Makes the attribute `style`, set by script on a span, mean the declarations that it lists, as it
 * does without a policy. xterm.js colours its text so, and takes the spans from the page's own
 * document, so that it holds for every span of the page. Attributes in HTML stay forbidden.
 */
export function allowSpanStyles(): void {
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === 'style') this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}
