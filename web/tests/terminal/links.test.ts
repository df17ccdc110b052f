import { describe, expect, test } from 'vitest';
import { requestedText } from '../../src/terminal/clipboard-requests';
import { linkTarget } from '../../src/terminal/links';

describe('links', () => {
  test('the real target is shown: a host name in ASCII, normalised', () => {
    expect(linkTarget('https://аpple.com/x')).toEqual({
      href: 'https://xn--pple-43d.com/x',
      host: 'xn--pple-43d.com',
    });
    expect(linkTarget('HTTP://Example.com:80/a b')?.href).toBe('http://example.com/a%20b');
  });

  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'ssh://host',
    'https://good.example@evil.example/',
    'https://user:word@evil.example/',
    '/relative',
    '',
    `https://example.com/${'a'.repeat(3000)}`,
  ])('%s is none', (text) => {
    expect(linkTarget(text)).toBeUndefined();
  });

  test('a direction override does not survive into what is shown', () => {
    expect(linkTarget('https://example.com/\u202egpj.exe')?.href).not.toContain('\u202e');
  });
});

describe('requests for the clipboard', () => {
  const encode = (text: string) => `c;${Buffer.from(text).toString('base64')}`;

  test('text is read as UTF-8', () => {
    expect(requestedText(encode('naïve 日本'))).toBe('naïve 日本');
  });

  test.each(['c;?', 'c;', 'c;***', 'c;/w==', encode('x'.repeat(200_000))])(
    'case %#: none',
    (data) => {
      expect(requestedText(data)).toBeUndefined();
    },
  );
});
