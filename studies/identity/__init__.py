"""Identity: who stays who, measured on made scenes whose every person is known.

``cutouts`` takes whole people out of annotated photographs, ``walks`` says who goes where,
``scenes`` puts both before a background and knows the truth of every frame; ``detections`` is a
noise model in place of a detector, ``networks`` the real one; ``scoring`` asks TrackEval;
``contest`` lets trackers play on the same detections, ``summary`` sums up; ``run`` is the command.
``rest`` measures on clips what the rest of the detector costs.
"""
