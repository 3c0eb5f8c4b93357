"""Fine-tune a tiny, randomly initialised BERT with Hugging Face's Trainer; two lines more than without tunefast."""

import argparse
import os

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from tunefast_report import transformers_callback  # added

VOCABULARY, LENGTH = 50, 12


class Sequences(torch.utils.data.Dataset):
    """Sequences of tokens; the question is whether token 1 stands in them."""

    def __init__(self, num_samples, seed):
        rng = np.random.default_rng(seed)
        self.tokens = rng.integers(2, VOCABULARY, (num_samples, LENGTH))
        self.labels = rng.integers(0, 2, num_samples)
        places = rng.integers(0, LENGTH, num_samples)
        self.tokens[np.arange(num_samples)[self.labels == 1], places[self.labels == 1]] = 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"input_ids": torch.tensor(self.tokens[index]), "labels": int(self.labels[index])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="output")
    args = parser.parse_args()

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LENGTH,
        num_labels=2,
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config),
        args=TrainingArguments(
            output_dir=args.output,
            learning_rate=args.lr,
            per_device_train_batch_size=args.batch_size,
            num_train_epochs=args.epochs,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=args.seed,
        ),
        train_dataset=Sequences(1000, 0),
        eval_dataset=Sequences(300, 1),
        compute_metrics=lambda result: {"accuracy": (result.predictions.argmax(1) == result.label_ids).mean().item()},
        callbacks=[transformers_callback()],  # added
    )
    last = get_last_checkpoint(args.output) if os.path.isdir(args.output) else None
    trainer.train(resume_from_checkpoint=last)


if __name__ == "__main__":
    main()
