"""Files: the only place where photos are opened and results are written. Nothing here writes below a photo folder.

What is read: ``scan`` lists a folder and takes stamps, by ``patterns``; ``probe`` opens one file, with ``formats``
that are decoded, ``appearance`` (which way up, which colours), ``damage``, and ``not_pictures`` for what is none.
``picture_key`` says whether two pictures are the same; ``tiffs``, ``isobmff`` and ``colour`` read what Pillow does not.

What is made: ``normalise`` copies for the upload, ``verify`` looks at a result and ``convert`` gives it its format;
``results`` saves it. All pictures are decoded in processes of their own: ask ``decoding``, which ``guard`` stands
around, with the ``memory`` that is granted.

What may stand in the way: ``reading`` opens regular files alone, a ``folder`` is entered through no link, ``files``
are written in it, ``trouble`` says what an error means. ``rehearsal`` tries out a name before anything is paid for,
and ``sweep`` clears away what a killed process left.
"""
