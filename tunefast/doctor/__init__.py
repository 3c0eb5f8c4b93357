"""Why a training takes long: where its steps' time goes, and which remedies pay, measured."""
