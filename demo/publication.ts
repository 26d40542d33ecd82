/**
 * What the editors of a demo site write: the words and pictures, nothing of how they are served.
 */

/** One article, match report or product. */
export type Piece = {
  /** Last part of its address. */
  slug: string;
  /** Short word above the title: a desk, a competition, a price. */
  kicker: string;
  title: string;
  /** One or two sentences for the home page and under the title. */
  standfirst: string;
  /** Who wrote it, or where a product comes from. */
  byline: string;
  /** What the picture `assets/art/<slug>.svg` shows, for those who do not see it. */
  picture: string;
  paragraphs: string[];
  /** Further paragraphs that are given to signed-in readers only. */
  members?: { title: string; invitation: string; paragraphs: string[] };
};

export type Publication = {
  /** Client id at Causeway, and name of the style sheet `assets/<id>.css`. */
  id: string;
  hostname: string;
  name: string;
  tagline: string;
  /** First part of the address of every piece. */
  section: string;
  /** Words of the link back to the home page. */
  home: string;
  footer: string;
  pieces: Piece[];
};
