"""`python -m benchmarks.dashboards`: deploy/grafana/pictures from the real engine. Needs npm.

This is no Grafana: heat maps, whose component is not published, and annotations are left out.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from playwright.async_api import Browser
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles

from benchmarks.dashboards.recorded import record
from monitoring.expressions import DASHBOARDS
from parley import health
from support.browser import chromium

HERE = Path(__file__).parent
BUILD = Path("build/dashboards")
PICTURES = Path("deploy/grafana/pictures")
WIDTH, ROW, TOP = 1616, 38, 70
"""Pixels: of the page, of a row of Grafana's grid, and above the first one."""
LOADERS = [f"--loader:.{kind}=dataurl" for kind in ("svg", "woff2", "ttf", "png")]


def bundle() -> None:
    """The page with Grafana's components in it, into BUILD."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "page.jsx", "index.html"):
        shutil.copy(HERE / name, BUILD / name)
    _run("npm", "install", "--legacy-peer-deps", "--no-audit", "--no-fund")
    options = ["--bundle", "--format=iife", "--define:global=window", *LOADERS]
    production = '--define:process.env.NODE_ENV="production"'
    _run("node_modules/.bin/esbuild", "page.jsx", "--outfile=page.js", production, *options)


def _run(*command: str) -> None:
    subprocess.run(command, cwd=BUILD, check=True)


async def draw(recorded: dict[str, Any]) -> None:
    """A picture of each dashboard."""
    app = Starlette()
    app.mount("/", StaticFiles(directory=BUILD))
    async with health.serve(app, "127.0.0.1", 0) as port, chromium() as browser:
        for path in DASHBOARDS:
            board = json.loads(path.read_text(encoding="utf-8"))
            await _draw(browser, f"http://127.0.0.1:{port}/index.html", board, recorded)


async def _draw(
    browser: Browser, url: str, board: dict[str, Any], recorded: dict[str, Any]
) -> None:
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    page = await browser.new_page(viewport={"width": WIDTH, "height": TOP + rows * ROW})
    await page.add_init_script(f"window.INPUT = {json.dumps({'board': board, **recorded})}")
    await page.goto(url)
    await page.locator("#root .u-over").first.wait_for(state="attached")
    await page.wait_for_timeout(3_000)
    await page.screenshot(path=PICTURES / f"{board['uid']}.png")
    await page.close()


def main() -> None:
    """Record, bundle, draw."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5.0, help="how long calls are made")
    recorded = record(options.parse_args().minutes)
    bundle()
    PICTURES.mkdir(exist_ok=True)
    asyncio.run(draw(recorded))


if __name__ == "__main__":
    main()
