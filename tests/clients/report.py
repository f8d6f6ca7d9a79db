#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""report.py FOLDER [PICTURES]: judges FOLDER/report.html, the page of a trace (report.sh).

Prints "ok TEXT" and "not ok TEXT", for clients.bash.
"""
import shutil
import sys

from browser import Browser
from verdict import check, has_passed, same

FOLDER = sys.argv[1]
PICTURES = sys.argv[2] if len(sys.argv) > 2 else None
def paths(page):
    return page.run("[...document.querySelectorAll('#files tr')].map((row) => row.cells[0].textContent)")


def cell(page, path, column):
    return page.run(f"""[...document.querySelectorAll('#files tr')]
        .find((row) => row.cells[0].textContent === {path!r}).cells[{column}].textContent""")


def ink(page, selector):
    """How many colours a canvas has."""
    return page.run(f"""(() => {{ const canvas = document.querySelector('{selector}');
        const {{data}} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4)
            seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
        return seen.size; }})()""")


def picture(page, name):
    if PICTURES:
        page.picture(f"{PICTURES}/{name}.png", whole=True)


def judge_contents(page):
    check("2 ROMs" in page.run("byId('about').textContent"), "it says what it is about")
    listed = paths(page)
    for path in ("/one", "/sub/big", "/unread", "/hello", "/Unread", "/sub/bgi"):
        check(path in listed, f"the table has {path}", listed)
    check("/<img src=x onerror=window.pwned=1>" in listed, "a name of markup is text", listed)
    check("/</script><script>window.pwned=2</script>" in listed, "one that would end the data, too",
          listed)
    same(page.run("window.pwned === undefined"), True, "neither is run")
    same(page.run("document.querySelectorAll('img, b, #files script').length"), 0,
         "nor does any become an element")
    same(cell(page, "/Unread", 2), "missing (there is /unread)", "a typing error has what was meant")
    same(cell(page, "/sub/bgi", 2), "missing (there is /sub/big)", "so has another one")
    check("--fault rom=text,latency=1ms" in page.run("byId('maps').textContent"), "a fault is told")
    check(ink(page, "#maps canvas") >= 3, "the map has colours")
    same(page.run("roms.map((rom) => [...rom.heat].filter((times) => times).length)"), [83, 1],
         "blocks were read as the device's, and as a file's")


def judge_table(page):
    page.click("#heads th:nth-child(1) button")
    listed = paths(page)
    same(listed, sorted(listed), "a click on a head sorts by it")
    page.click("#heads th:nth-child(1) button")
    same(paths(page), listed[::-1], "another one turns that around")
    same(page.run("document.querySelector('#heads th').getAttribute('aria-sort')"), "descending",
         "which is also said to who does not see it")
    page.click("#heads th:nth-child(5) button")
    page.click("#heads th:nth-child(5) button")
    same(paths(page)[0], "/sub/big", "numbers are sorted as numbers")
    page.click("#search")
    page.write("BIG")
    same(paths(page), ["/sub/big"], "the search finds a path")
    page.run("byId('search').value = ''; byId('search').dispatchEvent(new Event('input'))")
    page.write("missing")
    same(sorted(paths(page)), ["/Unread", "/sub/bgi"], "and a state")
    page.run("byId('search').value = ''; byId('search').dispatchEvent(new Event('input'))")


def judge_map(page):
    page.click("#maps canvas")
    check(page.run("byId('block').textContent").startswith("config, bytes ") or
          page.run("byId('block').textContent").startswith("ukp_rom_config, bytes "),
          "a click on a block says what it is", page.run("byId('block').textContent"))
    check("/sub/big; read" in page.run("byId('block').textContent"), "which file, and that it was read",
          page.run("byId('block').textContent"))
    before = page.run("byId('block').textContent")
    page.run("document.querySelector('#maps canvas').focus()")
    page.key("ArrowRight")
    check(page.run("byId('block').textContent") != before, "an arrow key goes to the next one")
    before = ink(page, "#maps canvas")
    page.click("#colours label:nth-of-type(2)")
    check(page.run("document.querySelector('[value=reads]').checked") and
          ink(page, "#maps canvas") != before, "blocks can be coloured by their reads")
    page.click("#colours label:nth-of-type(1)")


def judge_timeline(page):
    number = page.run("accesses.length")
    check(page.run("byId('when').textContent").endswith(f"{number} of {number} accesses"), "at first all is shown",
          page.run("byId('when').textContent"))
    page.click("#phases li:nth-child(1) button")
    check(f"of {number} accesses" in page.run("byId('when').textContent") and
          not page.run("byId('when').textContent").endswith(f"{number} of {number} accesses"),
          "a phase is a moment to go to", page.run("byId('when').textContent"))
    same(page.run("document.querySelectorAll('#files .missing').length"), 0,
         "what was looked for later is not there yet")
    same(page.run("phases[1].name"), "<b>app</b>", "a phase's name is text")
    page.click("#timeline")
    middle = page.run("moment")
    check(0 < middle < page.run("end"), "a click on the timeline goes there", middle)
    page.run("byId('until').focus()")
    page.key("End")
    check(page.run("byId('when').textContent").endswith(f"{number} of {number} accesses"),
          "the slider is moved by keys", page.run("byId('when').textContent"))


def judge_room(page):
    page.shape(width=320, height=640)
    page.until("innerWidth === 320")
    same(page.run("document.documentElement.scrollWidth <= 320"), True, "320 pixels are enough",)
    picture(page, "narrow")
    page.shape(dark=True)
    page.until("matchMedia('(prefers-color-scheme: dark)').matches")
    same(page.run("getComputedStyle(document.body).backgroundColor"), "rgb(14, 17, 22)",
         "a user with a dark system has a dark page")
    picture(page, "dark")


browser = Browser(shutil.which("chromium") or "chromium", FOLDER)
try:
    browser.shape()
    browser.open(f"file://{FOLDER}/report.html")
    browser.until("document.querySelectorAll('#files tr').length > 0")
    picture(browser, "light")
    judge_contents(browser)
    judge_table(browser)
    judge_map(browser)
    judge_timeline(browser)
    judge_room(browser)
    # That the test reads what is drawn is the test's affair.
    same([said for said in browser.complaints if not said.startswith("rendering:")], [], "the browser has nothing to complain about")
    same([url for url in browser.asked if not url.startswith(("file:", "about:"))], [],
         "and nobody was asked for anything")
finally:
    browser.close()
sys.exit(0 if has_passed() else 1)
