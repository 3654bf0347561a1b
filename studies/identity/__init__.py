"""Identity: who stays who, measured on made scenes whose every person is known.

``foreground`` takes whole people out of annotated photographs, ``trajectories`` says who goes
where,
``scenes`` puts both before a background and knows the truth of every frame; ``detections`` is a
noise model in place of a detector; ``comparison`` runs trackers on the same detections, ``scoring``
asks TrackEval and sums up. ``interval`` measures on clips what rarer detection costs.
"""
