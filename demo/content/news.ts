/**
 * The Harbour Post: the articles of the demo's newspaper. Town and people are invented.
 */
import type { Publication } from '../publication.ts';

export const news: Publication = {
  id: 'news',
  hostname: 'news.localhost',
  name: 'The Harbour Post',
  tagline: 'Independent news from both sides of the estuary',
  section: 'articles',
  home: 'Front page',
  footer: 'The Harbour Post is part of the demonstration of Causeway. Kettlesand and its people are invented.',
  pieces: [
    {
      slug: 'last-ferry',
      kicker: 'Transport',
      title: 'The last ferry will now leave after the last train',
      standfirst:
        'For eleven years the evening crossing sailed nine minutes before the train from the city came in. From Monday it waits.',
      byline: 'By Ines Okafor, transport reporter',
      picture: 'A white and red ferry on dark water at dusk, with a low sun behind it.',
      paragraphs: [
        'Anyone who has run the length of Station Quay with a suitcase knows the sight: the stern lights of the Maren Tolley, already past the breakwater, and nine minutes of bad luck on the station clock. On Monday that ends. The harbour board has moved the last crossing from 22.40 to 23.05, a quarter of an hour after the train from the city is due.',
        'The change is small on paper and took four winters to agree. The ferry crew’s rest times had to be rearranged, the lock keeper’s shift lengthened, and the railway persuaded to say in public that its 22.49 is usually its 22.52. “We did not need a new boat,” said the board’s chair, Annelie Brandt. “We needed three people with three timetables in one room.”',
        'Those who depend on the crossing have kept their own statistics. Tomasz Reyl, a night nurse who lives in Saltmarsh Row, counted 61 missed ferries last year and paid for a taxi around the estuary, 38 kilometres, on every one of them. “I stopped being angry in about March,” he said. “After that it was a hobby.”',
        'The later sailing is a trial until the autumn. It will stay if an average of twenty passengers a night use it; the board expects thirty. If fog closes the channel, a bus will leave from the taxi rank at 23.20, and for the first time its driver will be told when the train is late.',
      ],
    },
    {
      slug: 'salt-meadow-plan',
      kicker: 'Town hall',
      title: 'Council votes to give the salt meadow back to the sea',
      standfirst:
        'The old dyke east of the town will be opened in two places. Flooding a field on purpose, engineers say, is what will keep the streets dry.',
      byline: 'By Matteo Lindqvist, town hall correspondent',
      picture: 'Green salt meadows cut by a winding blue creek under a pale sky.',
      paragraphs: [
        'By nineteen votes to six, and after a debate that went on past midnight, Kettlesand’s councillors have decided not to repair the eastern dyke. It will be breached in two places next spring, and sixty hectares of grazing land behind it will flood with every spring tide.',
        'The argument for it fits on one page of the engineers’ report. A dyke that stands alone must be raised every time the sea rises. A dyke with a broad marsh in front of it meets waves that have already lost half their height. The second line of defence, nearer the town, is to be strengthened with the clay taken from the first.',
        'Two farms lose pasture and will be paid for it over fifteen years. Greta Halvorsen, whose sheep have grazed there since her grandmother’s day, voted for the plan in the public consultation and did not pretend to enjoy it. “You can give a field back,” she said, “or you can wait until it is fetched.”',
      ],
      members: {
        title: 'For members: what the figures say, street by street',
        invitation: 'Sign in to read which streets gain most, and what it will cost.',
        paragraphs: [
          'We asked for the flood model behind the report and ran its results against the street register. The biggest gain is not on the seafront but in Cooper’s Lane and the lower half of Mill Street, where the chance of water in the cellar in any one year falls from one in fourteen to one in ninety.',
          'The bill is 8.4 million, of which the region carries two thirds. Repairing the old dyke would have cost 5.1 million now and, by the engineers’ own estimate, the same again within twenty-five years.',
        ],
      },
    },
    {
      slug: 'library-hours',
      kicker: 'Education',
      title: 'Library opens at six in the morning, with nobody behind the desk',
      standfirst: 'A door code, a kettle and a great deal of trust: the branch on Rope Walk has doubled its hours.',
      byline: 'By Saoirse Venn',
      picture: 'A lit library window in a dark brick wall, shelves of coloured books behind the glass.',
      paragraphs: [
        'At ten past six on Tuesday there were already four people in the library on Rope Walk: two students, a baker on his way home, and a man asleep over an atlas. There was no librarian. There will not be one until ten, and that is the point.',
        'Since the start of the month any card holder over sixteen may let themselves in between six in the morning and eleven at night. Books are borrowed at a machine, the kettle is shared, and the last person out is asked, by a hand-lettered sign, to turn off the lamp in local history.',
        'The branch manager, Pirkko Adeyemi, has kept a list of everything that has gone wrong so far. It has three entries: one lost umbrella, one argument about a window, and a complaint that the chairs are too comfortable. Loans are up by a third.',
        'The council had feared for the staff’s jobs, and the staff had feared for the books. Neither has gone missing. The hours with a librarian are the same as before, Ms Adeyemi says; it is only that she no longer spends them unlocking the door.',
      ],
    },
    {
      slug: 'bell-returns',
      kicker: 'Culture',
      title: 'The fog bell comes home, two semitones lower',
      standfirst: 'Recast after a crack silenced it in January, the bell at the end of the mole rings again on Sunday.',
      byline: 'By Jun Castellane, culture desk',
      picture: 'A bronze bell in a small white tower above waves.',
      paragraphs: [
        'It used to be somewhere near an A. When the fog bell was struck for the first time after its recasting, in a foundry yard four hundred kilometres from the sea, the founder held up a tuning fork and shrugged apologetically: G, or very nearly.',
        'The old bell had cracked from lip to shoulder on the coldest night of January, after 140 years of being hit by a hammer driven by a clockwork that nobody now knows how to build. Metal from the old casting went into the new one, with a little more tin; that, and a thicker lip, made the difference.',
        'Not everybody is pleased. The harbour choir has for decades tuned its open-air concerts to the bell, and its conductor has spent the week moving eleven pieces down by a whole tone. “The basses are delighted,” she reported. “The sopranos say that it is an entirely new career.”',
        'The bell is rung for the first time on Sunday at noon, and after that whenever the far buoy cannot be seen from the pilot house, which last year was on 41 days.',
      ],
    },
  ],
};
