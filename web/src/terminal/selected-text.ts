/** What is selected of texts that stand one below the other. */

/** The part of an element's text that lies within a range. */
function partOf(element: Element, range: Range): string {
  const part = document.createRange();
  part.selectNodeContents(element);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) {
    part.setStart(range.startContainer, range.startOffset);
  }
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) {
    part.setEnd(range.endContainer, range.endOffset);
  }
  return part.toString();
}

/**
 * The selected text of these elements, in their order, a line end between them. The selection's own
 * text will not do: in a dialog over the whole page, Firefox says that there is none.
 */
export function selectedText(elements: Iterable<Element>): string {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return '';
  const range = selection.getRangeAt(0);
  return [...elements]
    .filter((element) => range.intersectsNode(element))
    .map((element) => partOf(element, range))
    .join('\n');
}
