#!/usr/bin/env python3
"""Programs that exist to be recorded: `demos.py NAME`. Each shows what no other program here does.
"""

import sys

TRUECOLOUR = "\x1b[38;2;{};{};{}m"


def say(*parts):
    for part in parts:
        sys.stdout.write(part)
    sys.stdout.flush()


def progress():
    """Bars drawn over themselves, like those of package managers."""
    say("\x1b[?25l")
    for name, colour in (("fetching", 36), ("building", 33), ("testing", 32)):
        for done in range(0, 101, 4):
            bar = "█" * (done // 4) + "▏▎▍▌▋▊▉"[done % 7] + " " * (25 - done // 4)
            edge = "\x1b[2m|\x1b[22m"
            say(f"\r\x1b[{colour};1m{name:>10}\x1b[0m {edge}{bar}{edge} {done:3}%")
            say("\x1b[K" if done % 8 else "")
        say(f"\r\x1b[K\x1b[{colour}m✔\x1b[39m {name}\n")
    names = [f"layer {number}" for number in range(5)]
    say(*(f"{name}: waiting\n" for name in names))
    for step in range(60):
        row = step * 7 % len(names)
        up = len(names) - row
        bar = "=" * (step // 2) + ">"
        say(f"\x1b[{up}A\r\x1b[2K{names[row]}: [\x1b[34m{bar:<31}\x1b[39m]\x1b[{up}B\r")
    say("\x1b[?25hdone\n")


def unicode():
    """Wide, combining and joined characters, at the edge too."""
    lines = [
        "ASCII, Grüße, Ελληνικά, Русский, ไทย, हिन्दी, العربية, עברית",
        "日本語のテキスト、中文字符、한국어 문자열。全角ＡＢＣと半角ｱｲｳ",
        "combining: e\u0301 a\u0308\u0323 o\u0302\u0301 Z\u0351\u036b\u0343 \u0301alone",
        "emoji: 😀 🎉 👍🏽 ❤️ ☎️ 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 1️⃣ ✈ ✈️ ⌚ 🀄",
        "boxes: ┌─┬─┐ ╔═╦═╗ ▁▂▃▄▅▆▇█ ⠁⠃⠇⠏⠟⠿ ← ↑ → ↓ ∀x∈ℝ",
        "zero width: a\u200bb\u200cc\u200dd\ufeffe soft\u00adhyphen nbsp\u00a0end",
    ]
    say(*(line + "\n" for line in lines))
    for width in (77, 78, 79, 80, 81):
        say("." * width, "漢字e\u0301\n")
    say("\x1b[7m", "長" * 45, "\x1b[0m\n")
    # Overwriting half of a wide character, and moving them with inserted and deleted ones.
    say("漢字漢字漢字\x1b[10Dx\x1b[3Cy\n", "漢字漢字\x1b[5D\x1b[@a\n", "漢字漢字\x1b[7D\x1b[P\n")
    say("漢字漢字\r\x1b[4h123\x1b[4l\n", "漢字漢字\x1b[3D\x1b[2X\n", "漢\b\b\x1b[1C\x1b[K\n")
    # What is no UTF-8.
    sys.stdout.buffer.write(b"broken: \xff \xc3( \xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 \xc0\xaf end\n")
    say("\x1b(0lqqqk\x1b(B \x1b)0\x0exABCx\x0f £\n", "tabs:\ta\tbb\t漢\t\x1b[3gc\td\n")


def attributes():
    """Every attribute, alone and with others, and what erasing leaves of them."""
    for number in (*range(10), 21, *range(51, 54)):
        say(f"\x1b[{number}m{number:>4}\x1b[0m")
    for style in range(6):
        say(f" \x1b[4:{style}m4:{style}\x1b[58:2::255:{style * 40}:0m!")
        say(f"\x1b[58:5:{style}m!\x1b[59m!\x1b[0m")
    say("\n")
    for base in (30, 40, 90, 100):
        say(*(f"\x1b[{base + number}m{base + number:>4}" for number in range(8)), "\x1b[0m\n")
    for number in range(256):
        say(f"\x1b[38;5;{number};48;5;{255 - number}m{number:>4}")
        say("\x1b[0m\n" * (number % 16 == 15))
    for row in range(4):
        for column in range(76):
            say(f"\x1b[48;2;{row * 60};{column * 3};{255 - column * 3}m ")
        say("\x1b[m\n")
    say("\x1b[44mblue to the end\x1b[K\n\x1b[41mred\n\x1b[42m\x1b[2Lgreen\x1b[0m\n\n\n")
    say("\x1b]8;id=1;https://example.com/a;b\x1b\\one link,\x1b]8;;\x1b\\ none, ")
    say("\x1b]8;id=1;https://example.com/a;b\x07the same\x1b]8;;\x07\n\x1b#8\x1b[5;10H\x1b[1J")
    say('\x1b[1"qkept\x1b[0"q erased\x1b[?2K\x1b[24;1H\n')


BOX = ("╭" + "─" * 96 + "╮", "╰" + "─" * 96 + "╯")


def agent_prompt(spinner, seconds, typed):
    """The five lines at the bottom, which are drawn again and again."""
    state = TRUECOLOUR.format(215, 119, 87) + spinner + " Thinking…\x1b[39m"
    yield f"{state} \x1b[2m({seconds}s · esc to interrupt)\x1b[22m"
    yield "\x1b[2m" + BOX[0] + "\x1b[22m"
    space = " " * (92 - len(typed))
    yield f"\x1b[2m│\x1b[22m > {typed}\x1b[7m \x1b[27m{space}\x1b[2m│\x1b[22m"
    yield "\x1b[2m" + BOX[1] + "\x1b[22m"
    branch = TRUECOLOUR.format(136, 136, 136) + "main\x1b[39m"
    yield "  \x1b[2m? for shortcuts\x1b[22m" + " " * 50 + branch


def agent_answer(step):
    """What stays above the prompt."""
    link = f"\x1b]8;;file:///src/part{step}.rs\x1b\\src/part{step}.rs\x1b]8;;\x1b\\"
    yield TRUECOLOUR.format(78, 186, 101) + "●\x1b[39m \x1b[1mUpdate\x1b[22m(" + link + ")"
    yield f"  ⎿  Updated with \x1b[1m{step}\x1b[22m additions and \x1b[1m1\x1b[22m removal"
    gone, come = "\x1b[48;2;105;40;42m", f"\x1b[48;2;34;92;43m     {step:>3} +    let after = "
    yield f"{gone}     {step:>3} -    let before = {step};\x1b[K\x1b[49m"
    yield f"{come}\x1b[1m{step + 1}\x1b[22m; // 日本\x1b[K\x1b[49m"
    yield ""


def agent():
    """A coding agent on the main screen: answers scroll away above a prompt that is redrawn."""
    say("\x1b[?2004h\x1b[?1004h\x1b[>1u\x1b[>4;2m\x1b[?25l\x1b]0;✳ agent\x07\x1b]9;4;3\x1b\\")
    drawn = 0
    for step in range(40):
        say("\x1b[?2026h", "\x1b[2K\x1b[1A" * drawn, "\x1b[2K\x1b[G")
        if step % 3 == 0:
            say(*(line + "\r\n" for line in agent_answer(step)))
        typed = "please fix the tests and then run them all again"[: step + step // 3]
        prompt = list(agent_prompt("✢✳✶✻✽"[step % 5], step, typed))
        say("\r\n".join(prompt), "\x1b[?2026l")
        drawn = len(prompt) - 1
        say(f"\x1b]0;{'⠐⠂'[step % 2]} fixing tests\x07")
    say("\x1b]777;notify;agent;finished\x07\x1b]99;i=1:d=0;agent\x1b\\\x1b]9;done\x07\x07")
    agent_full_screen()
    say("\r\n\x1b[?25h\x1b[<u\x1b[>4m\x1b[?1004l\x1b[?2004l\x1b]9;4;0\x1b\\\x1b]0;\x07")


def agent_full_screen():
    """A pager over it: another screen with the mouse, a scrolling region and its own cursor."""
    say("\x1b7\x1b[?1049h\x1b[>3u\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[2J\x1b[H\x1b[6 q")
    say("\x1b[1;1H\x1b[7m transcript", " " * 89, "\x1b[27m\x1b[2;29r")
    for line in range(60):
        say(f"\x1b[29;1H\n\x1b[38;5;{16 + line}m{line:>4}\x1b[39m  line of the transcript \x1b[K")
    say("\x1b[2;1H\x1b[3M\x1b[5;1H\x1b[2L\x1bM\x1b[r\x1b[30;1H\x1b[2mq to leave\x1b[22m\x1b[?25h")
    say("\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[<u\x1b[0 q\x1b[?1049l\x1b8\x1b[?25l")


DEMOS = {demo.__name__: demo for demo in (progress, unicode, attributes, agent)}

if __name__ == "__main__":
    DEMOS[sys.argv[1]]()
