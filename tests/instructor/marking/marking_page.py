"""Keys and answers on the marking page in a browser."""


def press(page, *keys):
    """Press keys one after the other, and wait until the page says that all is saved."""
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function("() => !state.waiting")


def current(page):
    return page.locator("article[aria-current]").inner_text()


def go_to(page, text):
    """Move with the keyboard to the answer that contains a text."""
    press(page, *"kkkkkk")
    for _ in range(10):
        if text in current(page):
            return
        press(page, "j")
    raise AssertionError(f"no answer with {text}")


def wait_until_keys_count(page):
    """Wait until keys change the answer that has just changed."""
    page.wait_for_function("() => !isHeld(current())")
