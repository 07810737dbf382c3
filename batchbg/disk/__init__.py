"""Files: the only place where photos are opened and results are written. Nothing here writes below a photo folder.

What is read: ``scan`` lists a folder and takes stamps, by ``patterns``; ``probe`` opens one file of the
``input_formats``, with ``appearance`` (which way up, which colours), ``damage``, and ``not_pictures`` for everything
else. ``whole_jpeg`` proves by a walk through a ``jpeg`` that it is whole, ``decoded_jpeg`` where that does not tell;
``undecoded`` says what a plain JPEG is without any decoder. ``picture_key`` says whether two pictures are the same;
``tiff_tags``, ``isobmff`` and ``colour`` read what Pillow does not.

What is made: ``normalise`` makes copies for the upload, ``verify`` checks a result, of a PNG its stream alone
(``whole_png``), ``output_formats`` encodes it and ``results`` saves it. All pictures are decoded in processes of their
own: call ``decoding``, which hands the work to the ``decoder_pool``; each process runs ``decoder_process``, with the
``memory`` that it is granted, and ``library_stderr`` catches what its libraries print.

What may stand in the way: ``reading`` opens regular files only, a ``folder`` is entered through no link, ``files``
are written in it, ``write_errors`` says what an error means, ``file_identity`` whether two paths are one file.
``rehearsal`` tries out a name before anything is paid for, and ``sweep`` clears away what a killed process left.
"""
