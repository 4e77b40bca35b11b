"""Distances of block diagrams, px."""

CARD_PAD = 12.0  # left and right of a card's text
STRIPE = 5.0  # coloured strip at a card's left
LINES = (16.0, 14.0, 13.0)  # height of a card's title, detail and figures
LONG = 110.0  # a detail longer than this is broken, in pictures that save width
CARD_MARGIN = 6.0  # above the first and below the last line
THIN = 26.0  # height of a card of one line
PILL = 26.0  # height of a join drawn as a sign
STACK = 3.5  # offset of each card behind a folded one

GAP = 25.0  # between boxes, with a shape beside the edge
ARROW = 16.0  # an edge with an arrow and no label; from a frame's header to its first card
LANE = 16.0  # between branches
SKIP = 15.0  # from the boxes to the line of a skip
RAIL = 21.0  # from the last card of a branch to the rail that collects
LABEL = 6.0  # from an edge to its label

FRAME_PAD = 12.0
HEADER = 22.0  # a frame's header of one line
HEADER_LINE = 13.0  # each further line
PORT = 9.0  # from the header to the dot of a fork

GUTTER = 34.0  # between columns
TURN = 13.0  # from a column's end to where its way turns
CORNER = 8.0

MARGIN = 24.0  # around the picture
PANEL = 48.0  # between pictures side by side
