"""Limits of how much text a submission may contain; these numbers are set only here."""

MAX_NOTEBOOK_BYTES = 200 * 2**20  # notebooks with 100 MB of outputs occur
MAX_CELLS = 2_000  # the course's notebooks have at most 100
# Characters in the source of one cell, not counting embedded images. The longest cell of the
# course has 3,000; at this limit, parsing, analysis, and rendering take a second or two.
MAX_CELL_CHARACTERS = 100_000
MAX_SOURCE_CHARACTERS = 1_000_000  # in all cells together
# In all code cells, with embedded images. They are sent to a kernel, in a message of 64 MB at most.
MAX_CODE_CHARACTERS = 32 * 2**20
# For each budget of characters, there is one of a count: tiny outputs take as long as large ones.
MAX_OUTPUT_CHARACTERS = 4 * 2**20  # of one cell
MAX_OUTPUTS = 500  # of one cell; consecutive printed text counts as one output
MAX_ALL_OUTPUT_CHARACTERS = 64 * 2**20  # of all cells together
MAX_ALL_OUTPUTS = 2_000  # of all cells together; the course's notebooks have at most 100
# Added for each line of an output, besides its own: notebook files store lines separately.
LINE_CHARACTERS = 100
MAX_TRACEBACK_LINES = 100  # of one error
MAX_ATTACHMENTS = 50  # of one cell
MAX_ALL_ATTACHMENTS = 200  # of all cells together
# Of all images in text cells together, attached or embedded: what a page can show.
MAX_IMAGE_CHARACTERS = 32 * 2**20
MAX_NAME_CHARACTERS = 200  # of an attachment, or of a cell
MAX_NESTING = 100  # levels of lists and objects
# Values in what a limited process returns; each takes 60 bytes or more.
MAX_ELEMENTS = 1_000_000

# Budgets of a page that shows a notebook.
MAX_CELL_SECONDS = 1  # processor time for one cell; beyond, its text is shown as it was written
MAX_PAGE_SECONDS = 20  # for all cells of a page
MAX_HTML_CHARACTERS = 500_000  # of one cell, not counting images
MAX_PAGE_CHARACTERS = 32 * 2**20  # of all cells and outputs of a page, including images
ELEMENT_CHARACTERS = 500  # that count for the page's own HTML around a cell or an output
MAX_PAGE_HTML_CHARACTERS = 4_000_000  # of all formatted cells; browsers and parsers slow down
MAX_TEXT_CHARACTERS = 200_000  # of one text or output that is shown as it is
MAX_FORMULAS = 300  # of one cell, that are shown as formulas and not as code
