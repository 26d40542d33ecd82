/**
 * Touchline: the reports of the demo's sports site. Clubs and people are invented.
 */
import type { Publication } from '../publication.ts';

export const sports: Publication = {
  id: 'sports',
  hostname: 'sports.localhost',
  name: 'Touchline',
  tagline: 'Local sport, reported from the sideline',
  section: 'reports',
  home: 'All reports',
  footer: 'Touchline is part of the demonstration of Causeway. Clubs, players and results are invented.',
  pieces: [
    {
      slug: 'derby-late-goal',
      kicker: 'Football · Kettlesand 2–1 Saltmarsh',
      title: 'Ninety-four minutes of patience, one second of Abara',
      standfirst:
        'Kettlesand had 23 shots in the estuary derby. The twenty-third came off a shin, and nobody in the south stand minded.',
      byline: 'Desmond Kray at the Rope Walk Ground',
      picture: 'A football beneath the crossbar, about to meet the net, under floodlights.',
      paragraphs: [
        'There are goals that are drawn on boards in the week before, and there are goals like this one. Lucía Abara was turning away from a corner that had already been half cleared when the ball struck her below the knee, rose over a crowd of legs and dropped under the bar. She was the last to see it.',
        'It was hard on Saltmarsh, who had defended with eleven players and a good deal of wit since Petra Nowak’s free kick put them level on the half hour. Their goalkeeper, Elif Sandoval, made nine saves, two of them from a yard away, and was applauded off by both ends.',
        'Kettlesand’s trouble all season has been the pass before the last one. For an hour it was so again: the ball went wide, came back, went wide once more. What changed was the arrival of seventeen-year-old Noor Haddad, who ran straight at people, a method so old that nobody had prepared for it.',
        'The win lifts Kettlesand to third, four points behind the leaders with five to play. Saltmarsh stay eighth and may take comfort from the table of expected goals, which had them losing by rather more.',
      ],
      members: {
        title: 'For members: the corner, frame by frame',
        invitation: 'Sign in for the notebook: how Haddad opened the left side.',
        paragraphs: [
          'Watch the near post. Until the 70th minute Saltmarsh kept a free defender there at every corner. Haddad’s first two runs drew that player five metres out, once by winning a throw, once by simply standing still on the edge of the box.',
          'At the decisive corner the near post is empty for the first time in the match. The delivery is poor. It is cleared to exactly the spot that the missing defender would have filled, and Abara’s shin happens to be there instead.',
        ],
      },
    },
    {
      slug: 'estuary-swim',
      kicker: 'Open water',
      title: 'Four hundred swimmers, one tide, and a seal',
      standfirst:
        'The estuary mile is won by whoever reads the current best. This year that was a 58-year-old geography teacher.',
      byline: 'Marit Oyelaran on the slipway',
      picture: 'Swimmers in orange caps crossing wide blue water in a long diagonal line.',
      paragraphs: [
        'The straight line from the slipway to the far buoy is 1,609 metres. Nobody who swims it has ever won. The tide comes up the estuary at a brisk walking pace for forty minutes and then, without announcement, thinks better of it; the art is to be in midstream when it does.',
        'Hanne Falk has taught that tide to twelve-year-olds for three decades. On Saturday she started at the back, swam almost at right angles to everybody else, and was for ten minutes further from the finish than when she had set out. Then the water turned, and took her home in 21 minutes and 8 seconds, a record for any age.',
        '“The young ones are faster,” she said, in a towel, without any false modesty. “They are just faster in the wrong direction.” Second place went to a member of the national squad, who asked her for the map.',
        'The race was held up once, for six minutes, by a seal that had taken the second buoy for itself. It was logged by the jury as a spectator.',
      ],
    },
    {
      slug: 'wheelchair-basketball',
      kicker: 'Wheelchair basketball',
      title: 'The Anchors are one win away, and have run out of tyres',
      standfirst:
        'Promotion is forty minutes off for a club that did not exist three years ago. First it must find eleven inner tubes.',
      byline: 'Desmond Kray in Harbour Hall',
      picture: 'An orange basketball above a hoop, with the wheel of a sports wheelchair below.',
      paragraphs: [
        'A wheelchair basketball team goes through tyres as a newspaper goes through coffee. After Sunday’s 71–64 in the second leg of the semi-final, the Harbour Anchors had three left that would hold air, and a final on Thursday.',
        'The game had been worth the rubber. Ten points behind at the break, the Anchors put Kofi Brandvold on the opposing playmaker and told him to enjoy himself. He was in the way of everything, legally, for twenty minutes; at the end of the third quarter they were level, and in the fourth they stopped missing.',
        'Captain Yasmin Torrance, with 31 points, preferred to speak of the stands. “Two years ago we knew everyone who came by first name,” she said. “Tonight somebody asked for my autograph and I thought it was for a parcel.” Harbour Hall holds 900. It was full.',
        'The tyres are in hand: a bicycle workshop on Cooper’s Lane has promised a delivery for Wednesday. Tip-off is at 19.00 on Thursday, and the doors open an hour earlier.',
      ],
    },
  ],
};
