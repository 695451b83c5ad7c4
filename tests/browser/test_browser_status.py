"""The status page of a running deployment, in a real browser, and what it makes of bad lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import DESKTOP, chromium, resize
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "process")]

from running import PACKAGE, free_port, make, started  # noqa: E402
from test_browser_page import complaints, contrast, picture  # noqa: E402

pytestmark = pytest.mark.browser

SECONDS = 30
SMALL = (360, 740)
LOOP = """\
\"\"\"Say bad things, and die.\"\"\"

import sys, time

MAIN_OK = True


def main(argv):
    print("<script>document.title = 'taken'</script><img src=x onerror='alert(1)'>")
    print("</pre></details><style>body {{ display: none }}</style>" + "x" * 5000)
    sys.stdout.flush()
    time.sleep(0.1)
    return 3
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The status page of a deployment whose loop dies again and again."""
    made = make(tmp_path_factory.mktemp("deployment"))
    (made.folder / PACKAGE / "loop.py").write_text(LOOP)
    port = free_port()
    with started(made, MANAGEMENT_PORT=str(port)) as running:
        running.wait_for("gunicorn: ready after")
        running.wait_for("loop: exited with status 3")
        running.get("/")
        yield f"http://127.0.0.1:{port}/-/status"


def opened(driver: webdriver.Chrome, url: str, path: str = "") -> None:
    driver.get(url + path)
    WebDriverWait(driver, SECONDS).until(lambda _: driver.find_elements(By.CSS_SELECTOR, "main"))


def made_at(driver: webdriver.Chrome) -> str:
    found = driver.find_element(By.CSS_SELECTOR, "header time").get_attribute("datetime")
    assert found is not None
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [SMALL, DESKTOP], ids=["phone", "desktop"])
def test_the_page_is_read(url: str, size: tuple[int, int], dark: bool, tmp_path: Path) -> None:
    """On a phone and on a desk, in light and dark, without JavaScript: all of it, in one column or
    as a table, with enough contrast, nothing wider than the window, and no word in the console."""
    with chromium(tmp_path, dark=dark) as driver:
        resize(driver, size)
        opened(driver, url)
        rows = driver.find_elements(By.CSS_SELECTOR, "tbody tr")
        assert {row.find_element(By.TAG_NAME, "th").text.split()[0] for row in rows} == {
            "gunicorn",
            "loop",
            "spare",
        }
        width = driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= size[0]
        shown = driver.execute_script(
            "return getComputedStyle(document.querySelector('tr')).display"
        )
        cell = driver.find_element(By.CSS_SELECTOR, "tbody td")
        label = driver.execute_script(
            "return getComputedStyle(arguments[0], '::before').content", cell
        )
        display = driver.execute_script("return getComputedStyle(arguments[0]).display", rows[0])
        if size == SMALL:
            assert (display, label) == ("block", '"State"')
        else:
            assert (shown, display, label) == ("table-row", "table-row", "none")
        for selector in ("h1", "h1 span", "header .faint", "header a", "h2", "summary", "pre"):
            assert contrast(driver, selector) >= 4.5, selector
        for selector in ("tbody th a", "tbody th .faint", "tbody td span", "tbody td time"):
            assert contrast(driver, selector) >= 4.5, selector
        for found in driver.find_elements(By.CSS_SELECTOR, ".good, .bad, .wait"):
            if found.is_displayed():
                driver.execute_script("arguments[0].id = 'looked-at'", found)
                assert contrast(driver, "#looked-at") >= 4.5, found.text
                driver.execute_script("arguments[0].removeAttribute('id')", found)
        assert complaints(driver) == []
        picture(driver, f"status-{'phone' if size == SMALL else 'desktop'}-{dark}")


def test_lines_are_shown_and_do_nothing(url: str, tmp_path: Path) -> None:
    """A script in the log is text, and nothing but the page itself is asked for."""
    with chromium(tmp_path) as driver:
        opened(driver, url)
        driver.execute_script(
            "document.querySelectorAll('details').forEach((it) => it.open = true)"
        )
        lines = driver.find_element(By.CSS_SELECTOR, "#lines-loop pre").text
        assert "<script>document.title = 'taken'</script><img src=x" in lines
        assert "</pre></details><style>" in lines
        assert driver.title.endswith("ready")
        assert driver.find_elements(By.CSS_SELECTOR, "script, img, iframe, form, object") == []
        loaded = driver.execute_script("return performance.getEntriesByType('resource').length")
        assert loaded == 0
        assert complaints(driver) == []


def test_without_script_the_lines_open(url: str, tmp_path: Path) -> None:
    """By a key, as by a click; the name in the table leads there."""
    with chromium(tmp_path, script=False) as driver:
        opened(driver, url)
        found = driver.find_element(By.ID, "lines-gunicorn")
        assert found.get_attribute("open") is None
        assert not found.find_element(By.TAG_NAME, "pre").is_displayed()
        found.find_element(By.TAG_NAME, "summary").send_keys("\n")
        assert found.find_element(By.TAG_NAME, "pre").is_displayed()
        driver.find_element(By.CSS_SELECTOR, 'a[href="#lines-gunicorn"]').click()
        assert driver.current_url.endswith("#lines-gunicorn")


def test_it_comes_anew_only_where_that_was_asked_for(url: str, tmp_path: Path) -> None:
    """A link begins it, and a link ends it."""
    with chromium(tmp_path, script=False) as driver:
        opened(driver, url)
        assert "stop that" not in driver.page_source
        driver.find_element(By.LINK_TEXT, "every 10 s").click()
        WebDriverWait(driver, SECONDS).until(lambda _: "refresh=10" in driver.current_url)
        first = made_at(driver)
        WebDriverWait(driver, SECONDS, ignored_exceptions=[Exception]).until(
            lambda _: made_at(driver) > first
        )
        driver.find_element(By.LINK_TEXT, "stop that").click()
        WebDriverWait(driver, SECONDS).until(lambda _: driver.current_url.endswith("?"))
        assert "stop that" not in driver.page_source
