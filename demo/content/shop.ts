/**
 * Quay Market: the products of the demo's shop. Makers and wares are invented; nothing can be bought.
 */
import type { Publication } from '../publication.ts';

export const shop: Publication = {
  id: 'shop',
  hostname: 'shop.localhost',
  name: 'Quay Market',
  tagline: 'Plain good things from makers around the harbour',
  section: 'products',
  home: 'All goods',
  footer: 'Quay Market is part of the demonstration of Causeway. Makers and wares are invented; nothing can be bought.',
  pieces: [
    {
      slug: 'sailcloth-bag',
      kicker: '64.00',
      title: 'Sailcloth day bag',
      standfirst: 'Cut from sails that have crossed the bay a few hundred times. No two have the same seams.',
      byline: 'Sewn by Ropewalk Workshop, Kettlesand',
      picture: 'A cream-coloured bag of sailcloth with a red stripe and rope handles.',
      paragraphs: [
        'Racing sails are retired when they lose their shape, long before they lose their strength. The workshop on Rope Walk buys them by weight, washes the salt out, and cuts each bag so that one original seam runs across the front.',
        'Inside there is one large compartment that takes a folder or a loaf, and one pocket with a zip. The handles are spliced from eight-millimetre rope and long enough for the shoulder over a winter coat.',
        'Width 38 cm, height 42 cm, depth 12 cm; 480 grams. Water runs off it. Wash by hand, in cold water, and dry it in the wind, which it is used to.',
      ],
      members: {
        title: 'For members: a seam of your own',
        invitation: 'Sign in to see the members’ price and the sails that are in the workshop now.',
        paragraphs: [
          'Members pay € 56.00, and may choose the sail. This month there are three: a spinnaker in faded orange, a white mainsail with the number 417, and a tan jib from a fishing smack.',
          'Tell the workshop which of them you like in the message box at the till. Sewing takes nine days.',
        ],
      },
    },
    {
      slug: 'storm-lantern',
      kicker: '48.50',
      title: 'Storm lantern No. 3',
      standfirst: 'A lantern for balconies, boats and power cuts, built so that every part can be replaced.',
      byline: 'Made by Veller & Daughter, tinsmiths',
      picture: 'A teal storm lantern with a warm yellow flame behind glass.',
      paragraphs: [
        'Three sizes were made in this pattern from 1911. Only number three is still in production, because it is the one that people went on asking for: large enough to read by, small enough to hang from a tent pole.',
        'The body is tin plate, coated once in colour and once in clear. The glass lifts out without tools. A filling of lamp oil burns for some fourteen hours; the wick is the ordinary kind, sold by the metre.',
        'Height 26 cm without the handle; 720 grams. Spare glasses, wicks and burners are kept for every lantern made since 1974, and so far they have always fitted.',
      ],
    },
    {
      slug: 'sea-salt',
      kicker: '7.20',
      title: 'Salt meadow salt, 200 g',
      standfirst: 'Coarse grey flakes from the pans behind the old dyke, dried by sun when there is sun.',
      byline: 'From the Halvorsen farm, Saltmarsh Row',
      picture: 'A glass jar of white salt flakes with a cork, beside a wooden spoon.',
      paragraphs: [
        'Spring tides fill the pans behind the sheep meadow about twice a month. What happens next is mostly waiting. In a dry summer the crust can be raked off after three weeks; in a wet one the farm finishes it over a wood stove.',
        'The flakes are large, a little damp and not quite white. They are at their best at the end, on bread and butter, tomatoes or a boiled egg, where you can still feel them.',
        'Ingredients: sea salt. Nothing is added to make it run; keep the cork in. The jar is returnable at the farm gate and at the market stall on Saturdays.',
      ],
    },
    {
      slug: 'harbour-mug',
      kicker: '22.00',
      title: 'Low-tide mug',
      standfirst: 'Stoneware with a glaze that stops where the water would. Holds a generous third of a litre.',
      byline: 'Thrown by Orla Whitby, Mill Street Pottery',
      picture: 'A stoneware mug, sand-coloured below and glazed deep blue above.',
      paragraphs: [
        'The lower third is bare clay, the colour of wet sand. Above it the glaze begins in a line that is never quite level, since each mug is dipped by hand and held for a count of four.',
        'The handle takes three fingers. The base is wide, after a request from a customer who drinks her tea on a moving ferry.',
        'Height 9.5 cm, 350 ml. Fine in the dishwasher; the bare clay darkens a little with the years, and most people come to like that.',
      ],
    },
  ],
};
