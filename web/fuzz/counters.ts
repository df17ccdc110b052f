/** Puts a counter into every block of the app's protocol, for `coverage.ts` to look at. */
import { type Plugin, parseAst } from 'vite';

/** Any node of a syntax tree. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [child: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof (value as Node | null)?.type === 'string';
}

/** The parts of a node that run or not, each by itself. */
function branches(node: Node): readonly unknown[] {
  switch (node.type) {
    case 'IfStatement':
    case 'ConditionalExpression':
      return [node['consequent'], node['alternate']];
    case 'LogicalExpression':
      return [node['right']];
    case 'ArrowFunctionExpression':
    case 'ForStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'DoWhileStatement':
      return [node['body']];
    default:
      return [];
  }
}

/** A program with its counters; `next` gives each its number. */
export function counted(code: string, next: () => number): string {
  const inserts: { readonly at: number; readonly text: string }[] = [];
  const count = () => `globalThis.blocks[${next()}]++`;
  const insert = (at: number, text: string) => inserts.push({ at, text });

  const visit = (node: Node) => {
    for (const part of branches(node)) {
      if (!isNode(part) || part.type === 'BlockStatement') continue;
      const isStatement = part.type.endsWith('Statement');
      insert(part.start, isStatement ? `{${count()};` : `(${count()},`);
      insert(part.end, isStatement ? '}' : ')');
    }
    if (node.type === 'BlockStatement') insert(node.start + 1, `${count()};`);
    if (node.type === 'SwitchCase') {
      const [first] = node['consequent'] as readonly Node[];
      if (first !== undefined) insert(first.start, `${count()};`);
    }
    for (const child of Object.values(node)) {
      for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) visit(one);
    }
  };
  visit(parseAst(code) as unknown as Node);

  let made = '';
  let at = 0;
  // Of those at the same place, the outer one was found first.
  for (const { at: place, text } of inserts.sort((a, b) => a.at - b.at)) {
    made += code.slice(at, place) + text;
    at = place;
  }
  return made + code.slice(at);
}

/** Counts in every module below `src/protocol`. */
export function counters(): Plugin {
  let number = 0;
  return {
    name: 'counters',
    enforce: 'post',
    transform(code, id) {
      if (!id.includes('/src/protocol/')) return null;
      return { code: counted(code, () => number++), map: null };
    },
  };
}
