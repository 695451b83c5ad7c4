"""What a user sees: the page of the running deployment, in a real browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import DESKTOP, PHONE, chromium, resize
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "build" / "screenshots"
SECONDS = 20


def free_port() -> int:
    """A loopback port where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a deployment that runs: LUGGAGE_TEST_URL, else one started here."""
    given = os.environ.get("LUGGAGE_TEST_URL")
    if given:
        yield given
        return
    port = free_port()
    folder = tmp_path_factory.mktemp("deployment")
    settings = {
        "PORT": str(port),
        "STANDIN_PORT": str(free_port()),
        "DATA_DIR": str(folder / "data"),
        "LUGGAGE_RUN": str(folder / "run"),
        "SECRET_KEY": (ROOT / "demo.key").read_text().strip(),
    }
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "deploy", "start"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(port, process, folder / "log")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            try:
                process.wait(40)
            finally:
                process.kill()
    assert process.returncode == 0, (folder / "log").read_text()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something listens on `port`; the log is the reason where nothing does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"the deployment did not start:\n{log.read_text()}")


def lines(driver: webdriver.Chrome) -> list[str]:
    """The ids of the lines that are shown, newest first."""
    # In one call, since the page replaces them meanwhile.
    script = "return [...document.querySelectorAll('#lines li')].map((item) => item.dataset.id)"
    return list(driver.execute_script(script))


def shown(driver: webdriver.Chrome, url: str, most: int = 2) -> None:
    """Open the page, and wait until it shows a mood and `most` lines."""
    driver.get(url)
    wait = WebDriverWait(driver, SECONDS)
    wait.until(lambda _: driver.find_elements(By.ID, "mood"))
    wait.until(lambda _: len(lines(driver)) >= most)


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the browser's console says."""
    return [entry["message"] for entry in driver.get_log("browser")]


def picture(driver: webdriver.Chrome, name: str) -> None:
    """A screenshot in build/screenshots, when everything has come to rest."""
    script = "return document.getAnimations().length"
    WebDriverWait(driver, SECONDS).until(lambda _: driver.execute_script(script) == 0)
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert driver.save_screenshot(str(PICTURES / f"{name}.png"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_shows_mood_and_lines(
    url: str, size: tuple[int, int], dark: bool, tmp_path: Path
) -> None:
    """Mood and lines are there, nothing is wider than the screen, and the console is silent."""
    with chromium(tmp_path, dark=dark) as driver:
        resize(driver, size)
        shown(driver, url)
        assert driver.find_element(By.ID, "mood").text == "cheerful"
        assert driver.execute_script("return innerWidth") == size[0]
        assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
        assert driver.find_element(By.CSS_SELECTOR, "#lines li p").is_displayed()
        picture(driver, f"{'phone' if size == PHONE else 'desktop'}-{'dark' if dark else 'light'}")
        assert complaints(driver) == []


def test_new_lines_appear_without_a_click(url: str, tmp_path: Path) -> None:
    """A line that the robot adds comes to the top of the open page, which is not loaded again."""
    with chromium(tmp_path) as driver:
        shown(driver, url)
        driver.execute_script("window.here = true")
        first = lines(driver)[0]
        WebDriverWait(driver, SECONDS).until(lambda _: lines(driver)[0] != first)
        assert first in lines(driver)
        assert driver.execute_script("return window.here")
        assert complaints(driver) == []


def test_a_page_that_is_paused_stays(url: str, tmp_path: Path) -> None:
    """`Pause` holds the page still; pressed again, it follows on."""
    with chromium(tmp_path) as driver:
        shown(driver, url)
        button = driver.find_element(By.ID, "pause")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        time.sleep(0.5)
        first = lines(driver)[0]
        time.sleep(9)
        assert lines(driver)[0] == first
        button.click()
        WebDriverWait(driver, SECONDS).until(lambda _: lines(driver)[0] != first)


def test_the_page_needs_no_script(url: str, tmp_path: Path) -> None:
    """Without JavaScript everything is shown, and the page loads itself again to follow."""
    with chromium(tmp_path, script=False) as driver:
        # An element that was found is stale as soon as the page has loaded itself again.
        stale = [StaleElementReferenceException]
        shown_without = WebDriverWait(driver, SECONDS, ignored_exceptions=stale)
        driver.get(url)
        shown_without.until(lambda _: len(driver.find_elements(By.CSS_SELECTOR, "#lines li")) >= 2)
        shown_without.until(lambda _: not driver.find_element(By.ID, "pause").is_displayed())
        first = shown_without.until(
            lambda _: driver.find_element(By.CSS_SELECTOR, "#lines li").get_attribute("data-id")
        )
        shown_without.until(
            lambda _: (
                f'data-id="{first}"' in driver.page_source
                and not re.search(rf'<ol id="lines">\s*<li data-id="{first}"', driver.page_source)
            )
        )


def test_the_page_can_be_found_around_in(url: str, tmp_path: Path) -> None:
    """Language, title, landmarks and headings are there; text has contrast, light and dark."""
    for dark in (False, True):
        with chromium(tmp_path / str(dark), dark=dark) as driver:
            shown(driver, url)
            assert driver.execute_script("return document.documentElement.lang") == "en"
            assert "Cheerful" in driver.title
            for landmark in ("header", "main", "footer"):
                assert len(driver.find_elements(By.CSS_SELECTOR, landmark)) == 1
            assert len(driver.find_elements(By.CSS_SELECTOR, "h1")) == 1
            assert [item.text for item in driver.find_elements(By.CSS_SELECTOR, "h2")]
            for selector in ("h1", "h2", "#mood", "#lines p", "#lines time", "footer", "#pause"):
                assert contrast(driver, selector) >= 4.5, selector


def contrast(driver: webdriver.Chrome, selector: str) -> float:
    """The contrast of an element's text with what is behind it, as WCAG 2.1 reckons it."""
    ink, paper = driver.execute_script(
        """
        const found = document.querySelector(arguments[0]);
        const colour = (item) => getComputedStyle(item).backgroundColor;
        let behind = found;
        while (colour(behind) === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
        return [getComputedStyle(found).color, colour(behind)];
        """,
        selector,
    )
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `rgb(…)`, from 0 to 1."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_server_that_goes_away_is_told(url: str, tmp_path: Path) -> None:
    """Offline, the open page keeps its lines and says that it is old; back again, it follows on."""
    with chromium(tmp_path) as driver:
        shown(driver, url)
        driver.set_network_conditions(offline=True, latency=0, throughput=0)
        wait = WebDriverWait(driver, SECONDS)
        script = "return getComputedStyle(document.querySelector('footer'), '::after').content"
        wait.until(lambda _: "the server does not answer" in driver.execute_script(script))
        first = lines(driver)[0]
        driver.delete_network_conditions()
        wait.until(lambda _: lines(driver)[0] != first)
        assert driver.execute_script(script) == "none"


def test_nothing_comes_from_elsewhere(url: str, tmp_path: Path) -> None:
    """Every file that the page loads is the deployment's own."""
    with chromium(tmp_path) as driver:
        shown(driver, url)
        script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        loaded = driver.execute_script(script)
    assert len(loaded) >= 2
    assert {urlsplit(name).netloc for name in loaded} == {urlsplit(url).netloc}
